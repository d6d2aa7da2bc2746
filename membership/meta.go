package membership

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/hashicorp/memberlist"
)

// metaVersion is the first byte of a node's metadata; the rest is JSON. A later
// version may add fields, and must leave these with the meaning they have, so
// that an older node still reads them.
const metaVersion = 1

// meta is what travels in memberlist's node metadata, 512 bytes at most, hence
// the short keys. The node's ID is not in it: it is memberlist's node name.
type meta struct {
	Name        string `json:"n"`
	Incarnation uint64 `json:"i,omitempty"`
	Attributes
	// Leaving is announced just before a graceful leave, because memberlist
	// does not tell its users a leave from a failure.
	Leaving bool `json:"x,omitempty"`
}

func (m meta) encode() ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode node metadata: %w", err)
	}
	if size := len(body) + 1; size > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d fit; %d labels take a part of it: use fewer or shorter labels, name, region and zone",
			ErrMetaTooLarge, size, memberlist.MetaMaxSize, len(m.Labels))
	}
	return append([]byte{metaVersion}, body...), nil
}

func decodeMeta(raw []byte) (meta, error) {
	if len(raw) < 2 || raw[0] < metaVersion {
		return meta{}, fmt.Errorf("%w: no version byte", ErrMetaInvalid)
	}
	var m meta
	if err := json.Unmarshal(raw[1:], &m); err != nil {
		return meta{}, fmt.Errorf("%w: version %d: %w", ErrMetaInvalid, raw[0], err)
	}
	if m.Name == "" {
		return meta{}, fmt.Errorf("%w: version %d has no name", ErrMetaInvalid, raw[0])
	}
	return m, nil
}

func validID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}
