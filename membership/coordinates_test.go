package membership

import (
	"encoding/binary"
	"log/slog"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"pgregory.net/rapid"

	"github.com/rota-scheduler/rota/membership/memnet"
)

// threeRegions are nine nodes, three a region, with one-way delays between them.
type threeRegions struct {
	t     *testing.T
	far   time.Duration // one way between the second and the third region
	nodes []*Gossip
}

const perRegion = 3

func regionOf(i int) int { return i / perRegion }

// delay is one way between two nodes: half a millisecond within a region, 2.5 and
// 25 ms from the first one.
func (r *threeRegions) delay(i, j int) time.Duration {
	delays := [3][3]time.Duration{
		{500 * time.Microsecond, 2500 * time.Microsecond, 25 * time.Millisecond},
		{0, 500 * time.Microsecond, r.far},
		{0, 0, 500 * time.Microsecond},
	}
	a, b := regionOf(i), regionOf(j)
	return delays[min(a, b)][max(a, b)]
}

func newThreeRegions(t *testing.T, far time.Duration) *threeRegions {
	r := &threeRegions{t: t, far: far}
	network := memnet.New()
	for i := range 3 * perRegion {
		cfg := virtual(t, network, i+1, 0, 1)
		for j := range i {
			network.Delay(cfg.BindAddr, r.nodes[j].Self().Addr, r.delay(j, i))
		}
		g, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.nodes = append(r.nodes, g)
	}
	return r
}

func (r *threeRegions) rtt(d Distances, i, j int) time.Duration {
	r.t.Helper()
	rtt, known := d.RTT(r.nodes[i].Self().ID, r.nodes[j].Self().ID)
	if !known {
		r.t.Errorf("n%d to n%d is not known", i+1, j+1)
	}
	return rtt
}

// ordered checks, by what one node knows, that for each node every node of another
// region is nearer than any of one that is twice as far.
func (r *threeRegions) ordered(asked *Gossip) {
	r.t.Helper()
	d := asked.Distances()
	for i := range r.nodes {
		for j := range r.nodes {
			for k := range r.nodes {
				apart := regionOf(i) != regionOf(j) && regionOf(i) != regionOf(k) && 2*r.delay(i, j) <= r.delay(i, k)
				if apart && r.rtt(d, i, j) >= r.rtt(d, i, k) {
					r.t.Errorf("%s: n%d to n%d takes %s, to n%d %s; truly %s and %s", asked.Self().Name,
						i+1, j+1, r.rtt(d, i, j), k+1, r.rtt(d, i, k), 2*r.delay(i, j), 2*r.delay(i, k))
				}
			}
		}
	}
}

// loseRegion: a whole region goes, and the others move on. What was known of it is
// known as it was.
func (r *threeRegions) loseRegion() {
	r.t.Helper()
	for _, g := range r.nodes[2*perRegion:] {
		if err := g.Shutdown(); err != nil {
			r.t.Fatal(err)
		}
	}
	r.nodes = r.nodes[:2*perRegion]
	time.Sleep(time.Minute) // virtual: until all have noticed
	asked := r.nodes[0]
	trips := func() (list []time.Duration) {
		d := asked.Distances()
		for i := range r.nodes {
			for gone := 2*perRegion + 1; gone <= 3*perRegion; gone++ {
				rtt, known := d.RTT(r.nodes[i].Self().ID, uid(gone))
				if !known {
					r.t.Errorf("where n%d was is forgotten", gone)
				}
				list = append(list, rtt)
			}
		}
		return list
	}
	before := trips()
	time.Sleep(2 * time.Minute) // virtual
	if after := trips(); !slices.Equal(before, after) {
		r.t.Errorf("what was known of a region that is gone has moved from %v to %v", before, after)
	}
}

// TestCoordinatesOrderRegions: within a minute every node knows which of the
// others are nearer, also as seen from third ones. Round trips of 5, 50 and 120 ms
// fit into no space, since 5 and 50 are less than 120: their order is right all
// the same. What does fit is known by about its value soon.
func TestCoordinatesOrderRegions(t *testing.T) {
	for name, far := range map[string]time.Duration{"5, 50 and 120 ms": 60 * time.Millisecond, "5, 50 and 52 ms": 26 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newThreeRegions(t, far)
				defer func() { stopAll(t, r.nodes) }()
				time.Sleep(time.Minute) // virtual
				for _, asked := range r.nodes {
					r.ordered(asked)
				}
				if far > 50*time.Millisecond {
					r.loseRegion()
					return
				}
				time.Sleep(2 * time.Minute) // virtual
				d := r.nodes[0].Distances()
				for i := range r.nodes {
					for j := range i {
						want := 2 * r.delay(j, i)
						if got := r.rtt(d, i, j); (got - want).Abs() > want/4+4*time.Millisecond {
							t.Errorf("n%d to n%d: %s, truly %s", i+1, j+1, got, want)
						}
					}
				}
				r.loseRegion()
			})
		})
	}
}

func testCoordinates(t testing.TB) *coordinates {
	c, err := newCoordinates("me", func(id string) bool { return id == "kept" }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBadCoordinatesAreRefused: nothing that a peer sends moves this node out of
// the world, or makes it fail.
func TestBadCoordinatesAreRefused(t *testing.T) {
	good := testCoordinates(t).AckPayload()
	if len(good) != coordinateSize || len(good) > 128 {
		t.Fatalf("%d bytes", len(good))
	}
	change := func(part int, value float64) []byte {
		b := slices.Clone(good)
		binary.BigEndian.PutUint64(b[coordinateHead+8*part:], math.Float64bits(value))
		return b
	}
	newer := slices.Clone(good)
	newer[0]++
	for name, payload := range map[string][]byte{
		"nothing": nil, "short": good[:20], "long": append(slices.Clone(good), 1), "newer": newer,
		"not a number": change(0, math.NaN()), "infinite": change(3, math.Inf(-1)), "far away": change(7, 11),
		"negative error": change(dimensions, -1), "below the ground": change(dimensions+2, -0.1), "adjustment": change(dimensions+1, 1e6),
	} {
		c := testCoordinates(t)
		before := string(c.AckPayload())
		c.NotifyPingComplete(&memberlist.Node{Name: "peer"}, 10*time.Millisecond, payload)
		if string(c.AckPayload()) != before || len(c.known) != 0 {
			t.Errorf("%s: it was believed", name)
		}
	}
	c := testCoordinates(t)
	c.NotifyPingComplete(&memberlist.Node{Name: "peer"}, time.Minute, good)
	if len(c.known) != 0 {
		t.Error("a round trip of a minute was believed")
	}
	c.NotifyPingComplete(&memberlist.Node{Name: "peer"}, time.Millisecond, good)
	if len(c.known) != 1 {
		t.Error("a good one was refused")
	}
}

// TestCoordinatesSurviveAnything: any payload, any round trip.
func TestCoordinatesSurviveAnything(t *testing.T) {
	c := testCoordinates(t)
	rapid.Check(t, func(t *rapid.T) {
		var payload []byte
		if rapid.Bool().Draw(t, "shaped") {
			payload = []byte{coordinateVersion, 9}
			for range dimensions + 3 {
				payload = binary.BigEndian.AppendUint64(payload, math.Float64bits(rapid.Float64().Draw(t, "part")))
			}
		} else {
			payload = rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "payload")
		}
		rtt := time.Duration(rapid.Int64().Draw(t, "rtt"))
		c.NotifyPingComplete(&memberlist.Node{Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "node")}, rtt, payload)
		if _, err := decodeCoordinate(c.AckPayload()); err != nil {
			t.Fatalf("this node's own place: %v", err)
		}
	})
}

func TestCoordinatesAreBounded(t *testing.T) {
	c := testCoordinates(t)
	good := c.AckPayload()
	c.NotifyPingComplete(&memberlist.Node{Name: "kept"}, time.Millisecond, good)
	for n := range 3 * maxCoordinates {
		c.NotifyPingComplete(&memberlist.Node{Name: uid(n)}, time.Millisecond, good)
		if len(c.known) > maxCoordinates {
			t.Fatalf("%d are remembered", len(c.known))
		}
	}
	if _, kept := c.known["kept"]; !kept {
		t.Error("a member was forgotten")
	}
}
