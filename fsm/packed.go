package fsm

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// packedSpec is a job's content as the store holds it: encoded, since most jobs
// are idle most of the time and a decoded spec takes several times the room.
// Whoever asks for the spec decodes it, and it stays decoded for a while. The
// bytes never change; any goroutine may ask.
type packedSpec struct {
	bytes []byte
	// history is asked for of all jobs at once, every minute.
	history History
	open    atomic.Pointer[JobSpec]
}

// pack encodes a spec; what it keeps shares nothing with it.
func (p *packedSpec) pack(s *JobSpec) { p.bytes, p.history = bytes.Clone(encode(s)), s.History }

// encoded returns the bytes; a row that never had a spec has an empty one.
func (p *packedSpec) encoded() []byte {
	if p.bytes == nil {
		return encode(&JobSpec{})
	}
	return p.bytes
}

// spec returns the content, which is shared and must not be changed.
func (p *packedSpec) spec() *JobSpec {
	if s := p.open.Load(); s != nil {
		return s
	}
	s := new(JobSpec)
	if err := decode(p.encoded(), s); err != nil {
		panic("fsm: a spec that this process encoded: " + err.Error())
	}
	if p.open.CompareAndSwap(nil, s) {
		recentSpecs.add(p)
	}
	return s
}

// CodecEncodeSelf writes the row's field as the spec itself would be.
func (p *packedSpec) CodecEncodeSelf(e *codec.Encoder) { e.MustEncode(codec.Raw(p.encoded())) }

// CodecDecodeSelf reads a spec, so that one which cannot be read is refused here,
// and packs it anew: nodes that have read it hold the same bytes as those that
// have applied it.
func (p *packedSpec) CodecDecodeSelf(d *codec.Decoder) {
	var s JobSpec
	d.MustDecode(&s)
	p.pack(&s)
}

// recentSpecs is what bounds the decoded specs of this process, whatever its
// number of stores.
var recentSpecs recent

// recent remembers the specs that were decoded last. With one more the oldest is
// packed again; whoever still uses it holds it for as long as he needs.
type recent struct {
	mu   sync.Mutex
	ring [4096]*packedSpec
	next int
}

func (r *recent) add(p *packedSpec) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if oldest := r.ring[r.next]; oldest != nil {
		oldest.open.Store(nil)
	}
	r.ring[r.next] = p
	r.next = (r.next + 1) % len(r.ring)
}
