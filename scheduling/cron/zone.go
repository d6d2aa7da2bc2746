package cron

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // machines without a zone database still know every zone
)

const maxZoneName = 64

// zones caches loaded zones: a zone takes kilobytes and a file read, and a
// hundred thousand jobs share a few of them. It holds only names that exist, so
// the zone database bounds it.
var zones sync.Map // string -> *time.Location

// LoadZone returns the time zone of an IANA name, such as "Europe/Berlin". The
// empty name is UTC.
func LoadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if zone, ok := zones.Load(name); ok {
		return zone.(*time.Location), nil
	}
	if err := checkZoneName(name); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf(`%q is not a known time zone: use an IANA name such as "Europe/Berlin", or "UTC": %w`, name, err)
	}
	cached, _ := zones.LoadOrStore(name, zone)
	return cached.(*time.Location), nil
}

// checkZoneName refuses names that the zone database would take but that mean
// something else on another machine, or name one zone in endless ways.
func checkZoneName(name string) error {
	if len(name) > maxZoneName {
		return fmt.Errorf(`the time zone name has %d bytes: use an IANA name such as "Europe/Berlin"`, len(name))
	}
	root, _, _ := strings.Cut(name, "/")
	switch strings.ToLower(root) {
	case "local", "localtime", "posixrules":
		return fmt.Errorf(`%q is a different time zone on each machine: use an IANA name such as "Europe/Berlin"`, name)
	case "posix", "right":
		return fmt.Errorf(`%q is a variant of a time zone: leave out %q`, name, root+"/")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.Trim(part, zoneNameChars) != "" {
			return errors.New(`a time zone is an IANA name such as "Europe/Berlin" or "Etc/GMT+8"`)
		}
	}
	return nil
}

const zoneNameChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-"
