package membership

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/coordinate"
)

// Network coordinates (Vivaldi): each node has a place in a space of eight
// dimensions and a height, so that the distance of two places is about their
// round trip. A node learns its own place from the pings that memberlist sends
// anyway, and those of the others from the answers.

const (
	// coordinateVersion is the first byte of the payload. Another layout takes
	// another number; what a node cannot read it ignores.
	coordinateVersion = 1
	dimensions        = 8
	// coordinateSize is the whole payload: the version, how many pings the place
	// rests on (at most 255), the vector, and error, adjustment and height.
	coordinateSize = coordinateHead + 8*(dimensions+3)
	coordinateHead = 2
	// farthest bounds each part of a place, in seconds: what is farther is not on
	// this planet.
	farthest = 10
	// settled is how many pings a place must rest on to say something. Vivaldi's
	// own error does not tell: it is relative, and stays high where one peer is a
	// hundred times nearer than another.
	settled = 8
	// maxCoordinates bounds how many places are remembered.
	maxCoordinates = 1024
)

var errBadCoordinate = errors.New("unusable coordinate")

// coordinates measures. It is a memberlist.PingDelegate.
type coordinates struct {
	client *coordinate.Client
	self   string
	log    *slog.Logger
	// member says whether a node is still remembered.
	member func(id string) bool

	mu    sync.Mutex
	pings int // answers that this node's own place rests on
	known map[string]place
	// frozen holds, of each node that is gone, the round trips to the others as
	// they were then: the places of those who go on move, its own does not.
	frozen map[string]map[string]time.Duration
}

// place is where a node says it is.
type place struct {
	*coordinate.Coordinate
	pings int
}

var _ memberlist.PingDelegate = (*coordinates)(nil)

func newCoordinates(self string, member func(id string) bool, logger *slog.Logger) (*coordinates, error) {
	config := coordinate.DefaultConfig()
	config.Dimensionality = dimensions
	client, err := coordinate.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("network coordinates: %w", err)
	}
	return &coordinates{
		client: client, self: self, member: member, log: logger, known: make(map[string]place),
		frozen: make(map[string]map[string]time.Duration),
	}, nil
}

// AckPayload is part of memberlist.PingDelegate: what goes with each answer.
func (c *coordinates) AckPayload() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.own().encode()
}

// own needs the lock.
func (c *coordinates) own() place { return place{c.client.GetCoordinate(), c.pings} }

// NotifyPingComplete is part of memberlist.PingDelegate. A place that makes no
// sense is refused: it would pull this node's own out of the world.
func (c *coordinates) NotifyPingComplete(other *memberlist.Node, rtt time.Duration, payload []byte) {
	said, err := decodeCoordinate(payload)
	if err == nil {
		_, err = c.client.Update(other.Name, said.Coordinate, rtt)
	}
	if err != nil {
		c.log.Debug("coordinate refused", "node", other.Name, "rtt", rtt, "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pings = min(c.pings+1, math.MaxUint8)
	c.known[other.Name] = said
	if len(c.known) > maxCoordinates {
		maps.DeleteFunc(c.known, func(id string, _ place) bool {
			gone := id != other.Name && !c.member(id)
			if gone {
				c.client.ForgetNode(id)
				delete(c.frozen, id)
			}
			return gone
		})
	}
}

func (p place) encode() []byte {
	b := make([]byte, coordinateHead, coordinateSize)
	b[0], b[1] = coordinateVersion, byte(p.pings)
	for _, part := range parts(p.Coordinate) {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(*part))
	}
	return b
}

func decodeCoordinate(b []byte) (place, error) {
	if len(b) != coordinateSize || b[0] != coordinateVersion {
		return place{}, fmt.Errorf("%w: %d bytes", errBadCoordinate, len(b))
	}
	p := &coordinate.Coordinate{Vec: make([]float64, dimensions)}
	for i, part := range parts(p) {
		*part = math.Float64frombits(binary.BigEndian.Uint64(b[coordinateHead+8*i:]))
		if math.IsNaN(*part) || math.Abs(*part) > farthest {
			return place{}, fmt.Errorf("%w: a part of %g seconds", errBadCoordinate, *part)
		}
	}
	if p.Error < 0 || p.Height < 0 {
		return place{}, fmt.Errorf("%w: error %g, height %g", errBadCoordinate, p.Error, p.Height)
	}
	return place{p, int(b[1])}, nil
}

// parts are the numbers of a place in the order of the payload.
func parts(p *coordinate.Coordinate) []*float64 {
	list := make([]*float64, 0, dimensions+3)
	for i := range p.Vec {
		list = append(list, &p.Vec[i])
	}
	return append(list, &p.Error, &p.Adjustment, &p.Height)
}

// gone notes that a node does not answer any more.
func (c *coordinates) gone(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, measured := c.known[id]; !measured || c.frozen[id] != nil {
		return
	}
	d := c.distances()
	trips := make(map[string]time.Duration, len(d.places))
	for other := range d.places {
		if rtt, known := d.RTT(id, other); known {
			trips[other] = rtt
		}
	}
	c.frozen[id] = trips
}

// back notes that a node answers again.
func (c *coordinates) back(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.frozen, id)
}

// Distances are the round trips between nodes as they were estimated at one
// moment. They may be read concurrently.
type Distances struct {
	places map[string]place
	frozen map[string]map[string]time.Duration // its maps never change
}

// Distances returns what this node knows. What is known of a node that does not
// answer any more stays as it was, so that one still knows what is near it.
func (g *Gossip) Distances() Distances {
	c := g.coordinates
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.distances()
}

// distances needs the lock.
func (c *coordinates) distances() Distances {
	places := maps.Clone(c.known)
	places[c.self] = c.own()
	maps.DeleteFunc(places, func(_ string, p place) bool { return p.pings < settled })
	return Distances{places, maps.Clone(c.frozen)}
}

// RTT returns the estimated round trip between two nodes; known is false while one
// of them has not been measured for long enough.
func (d Distances) RTT(a, b string) (rtt time.Duration, known bool) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if rtt, known := d.frozen[pair[0]][pair[1]]; known && a != b {
			return rtt, true
		}
	}
	from, there := d.places[a]
	to, too := d.places[b]
	if !there || !too {
		return 0, false
	}
	if a == b {
		return 0, true
	}
	return from.DistanceTo(to.Coordinate), true
}
