package httpcall

import (
	"fmt"
	"strconv"
	"strings"
)

// anySuccess is what is expected where nothing else is said.
var anySuccess = statusSet{"2xx", []statusRange{{200, 299}}}

type statusRange struct{ first, last int }

// statusSet is a set of HTTP statuses, and how to write it.
type statusSet struct {
	text   string
	ranges []statusRange
}

func (s statusSet) has(status int) bool {
	for _, r := range s.ranges {
		if status >= r.first && status <= r.last {
			return true
		}
	}
	return false
}

// parseStatuses reads "204", "2xx" and "200-299". No items mean any of 2xx.
func parseStatuses(items []string) (statusSet, error) {
	if len(items) == 0 {
		return anySuccess, nil
	}
	set := statusSet{text: strings.Join(items, ", ")}
	for _, item := range items {
		r, err := parseStatus(item)
		if err != nil {
			return statusSet{}, err
		}
		set.ranges = append(set.ranges, r)
	}
	return set, nil
}

func parseStatus(item string) (r statusRange, err error) {
	first, last, isRange := strings.Cut(item, "-")
	switch {
	case len(item) == 3 && strings.HasSuffix(item, "xx") && item[0] >= '1' && item[0] <= '5':
		n := int(item[0]-'0') * 100
		return statusRange{n, n + 99}, nil
	case !isRange:
		last = first
	}
	r.first, err = statusNumber(first)
	if err == nil {
		r.last, err = statusNumber(last)
	}
	if err != nil || r.last < r.first {
		return r, fmt.Errorf("%w: expected status %q must be like 204, 2xx or 200-299", ErrInvalid, item)
	}
	return r, nil
}

func statusNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || len(s) != 3 || n < 100 || n > 599 {
		return 0, strconv.ErrRange
	}
	return n, nil
}
