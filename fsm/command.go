package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// Opcode identifies a command in the log. Numbers are only ever added.
type Opcode uint16

// The opcodes.
const (
	OpBatch          Opcode = 1
	OpPutJobs        Opcode = 2
	OpDeleteJob      Opcode = 3
	OpSetPaused      Opcode = 4
	OpDecideFires    Opcode = 5
	OpStartRun       Opcode = 6
	OpCancelRun      Opcode = 7
	OpArmShards      Opcode = 8
	OpReportAttempts Opcode = 9
	OpDisplaceShards Opcode = 10
	OpRegisterNode   Opcode = 11
	OpSetNodeStatus  Opcode = 12
	OpPruneHistory   Opcode = 13
	OpRaiseFormat    Opcode = 14
	OpReplaceRuns    Opcode = 15
	OpTimeoutRuns    Opcode = 16
	OpRetryRun       Opcode = 17

	OpRecordDeliveries Opcode = 18
	OpNoteSlowRuns     Opcode = 19
	OpApplyFile        Opcode = 21
	OpDeletePool       Opcode = 22
	OpDrainNode        Opcode = 23
	OpEvictShards      Opcode = 24
	OpPutSettings      Opcode = 25
	OpStartScaling     Opcode = 26
	OpAdvanceScaling   Opcode = 27
)

// An entry is an envelope of six bytes and a msgpack body:
//
//	byte 0    magic 0xF5
//	byte 1    version of the command's encoding
//	byte 2    flags; bit 0: a program that does not know the opcode may ignore it
//	byte 3    reserved, zero
//	byte 4-5  opcode, big endian
const (
	envelopeSize   = 6
	envelopeMagic  = 0xF5
	flagIgnorable  = 1
	commandVersion = 1
)

// MaxCommandBytes bounds one entry. It is what a follower must be able to take
// within an election timeout.
const MaxCommandBytes = 8 << 20

// ErrMalformed: bytes in the log that are no command.
var ErrMalformed = errors.New("malformed command")

// Batch is several commands in one entry. Each is applied on its own: one that
// is refused does not touch the others.
type Batch struct {
	Commands [][]byte `codec:"c"`
}

// opDef is one row of the dispatch table.
type opDef struct {
	op    Opcode
	name  string
	apply func(c *change, body []byte) (any, error)
}

// def makes a row: it decodes the body into C, then applies it.
func def[C any](op Opcode, name string, apply func(*change, *C) (any, error)) opDef {
	return opDef{op, name, func(c *change, body []byte) (any, error) {
		var cmd C
		if err := decode(body, &cmd); err != nil {
			return nil, fmt.Errorf("%w: %s at index %d: %w", ErrMalformed, name, c.index, err)
		}
		return apply(c, &cmd)
	}}
}

// dispatch maps each opcode to its command. OpBatch is handled by the caller.
var dispatch = makeDispatch(
	def(OpPutJobs, "put_jobs", applyPutJobs),
	def(OpDeleteJob, "delete_job", applyDeleteJob),
	def(OpSetPaused, "set_paused", applySetPaused),
	def(OpDecideFires, "decide_fires", applyDecideFires),
	def(OpStartRun, "start_run", applyStartRun),
	def(OpCancelRun, "cancel_run", applyCancelRun),
	def(OpArmShards, "arm_shards", applyArmShards),
	def(OpReportAttempts, "report_attempts", applyReportAttempts),
	def(OpDisplaceShards, "displace_shards", applyDisplaceShards),
	def(OpRegisterNode, "register_node", applyRegisterNode),
	def(OpSetNodeStatus, "set_node_status", applySetNodeStatus),
	def(OpPruneHistory, "prune_history", applyPruneHistory),
	def(OpRaiseFormat, "raise_format", applyRaiseFormat),
	def(OpReplaceRuns, "replace_runs", applyReplaceRuns),
	def(OpTimeoutRuns, "timeout_runs", applyTimeoutRuns),
	def(OpRetryRun, "retry_run", applyRetryRun),
	def(OpRecordDeliveries, "record_deliveries", applyRecordDeliveries),
	def(OpNoteSlowRuns, "note_slow_runs", applyNoteSlowRuns),
	def(OpApplyFile, "apply_file", applyApplyFile),
	def(OpDeletePool, "delete_pool", applyDeletePool),
	def(OpDrainNode, "drain_node", applyDrainNode),
	def(OpEvictShards, "evict_shards", applyEvictShards),
	def(OpPutSettings, "put_settings", applyPutSettings),
	def(OpStartScaling, "start_scaling", applyStartScaling),
	def(OpAdvanceScaling, "advance_scaling", applyAdvanceScaling),
)

func makeDispatch(defs ...opDef) map[Opcode]opDef {
	m := make(map[Opcode]opDef, len(defs))
	for _, d := range defs {
		m[d.op] = d
	}
	return m
}

// Encode writes a command as a log entry.
func Encode(op Opcode, command any) []byte {
	body := encode(command)
	entry := make([]byte, envelopeSize, envelopeSize+len(body))
	entry[0], entry[1] = envelopeMagic, commandVersion
	binary.BigEndian.PutUint16(entry[4:], uint16(op))
	return append(entry, body...)
}

// opened is an entry taken apart.
type opened struct {
	op        Opcode
	version   byte
	ignorable bool
	body      []byte
}

func openEntry(entry []byte) (opened, error) {
	if len(entry) < envelopeSize || entry[0] != envelopeMagic {
		return opened{}, fmt.Errorf("%w: %d bytes without the envelope", ErrMalformed, len(entry))
	}
	return opened{
		op:        Opcode(binary.BigEndian.Uint16(entry[4:])),
		version:   entry[1],
		ignorable: entry[2]&flagIgnorable != 0,
		body:      entry[envelopeSize:],
	}, nil
}

// handle is the one msgpack configuration: canonical, so that equal values are
// equal bytes, and without compatibility modes.
func handle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.Canonical = true
	h.Raw = true           // a packed spec is written as it is
	h.MaxInitLen = 1 << 16 // a corrupt length must not become an allocation
	return h
}

var msgpack = handle()

func encode(v any) []byte {
	var b []byte
	if err := codec.NewEncoderBytes(&b, msgpack).Encode(v); err != nil {
		// Only a type that msgpack cannot express gets here: the golden tests
		// encode every one.
		panic(fmt.Sprintf("fsm: encoding %T: %v", v, err))
	}
	return b
}

// decode reads from bytes, never from a stream: a stream's decoder allocates what
// a length claims before it has seen that much. What it returns shares nothing
// with b.
func decode(b []byte, v any) error {
	return codec.NewDecoderBytes(b, msgpack).Decode(v)
}
