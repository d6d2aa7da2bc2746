package fsm

import (
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// commandTypes holds the body of every opcode.
var commandTypes = map[Opcode]func() any{
	OpBatch:          func() any { return new(Batch) },
	OpPutJobs:        func() any { return new(PutJobs) },
	OpDeleteJob:      func() any { return new(DeleteJob) },
	OpSetPaused:      func() any { return new(SetPaused) },
	OpDecideFires:    func() any { return new(DecideFires) },
	OpStartRun:       func() any { return new(StartRun) },
	OpCancelRun:      func() any { return new(CancelRun) },
	OpArmShards:      func() any { return new(ArmShards) },
	OpReportAttempts: func() any { return new(ReportAttempts) },
	OpDisplaceShards: func() any { return new(DisplaceShards) },
	OpRegisterNode:   func() any { return new(RegisterNode) },
	OpSetNodeStatus:  func() any { return new(SetNodeStatus) },
	OpPruneHistory:   func() any { return new(PruneHistory) },
	OpRaiseFormat:    func() any { return new(RaiseFormat) },
	OpReplaceRuns:    func() any { return new(ReplaceRuns) },
	OpTimeoutRuns:    func() any { return new(TimeoutRuns) },
	OpRetryRun:       func() any { return new(RetryRun) },

	OpRecordDeliveries: func() any { return new(RecordDeliveries) },
	OpNoteSlowRuns:     func() any { return new(NoteSlowRuns) },
	OpApplyFile:        func() any { return new(ApplyFile) },
	OpDeletePool:       func() any { return new(DeletePool) },
	OpDrainNode:        func() any { return new(DrainNode) },
	OpEvictShards:      func() any { return new(EvictShards) },
	OpPutSettings:      func() any { return new(PutSettings) },
	OpStartScaling:     func() any { return new(StartScaling) },
	OpAdvanceScaling:   func() any { return new(AdvanceScaling) },
}

// TestCommandEncodings pins the bytes of every command, each field filled: a
// field that is renamed, retyped or lost shows here before it does in a cluster
// of two versions.
func TestCommandEncodings(t *testing.T) {
	names := map[Opcode]string{OpBatch: "batch"}
	for op, d := range dispatch {
		names[op] = d.name
	}
	for op := range commandTypes {
		if names[op] == "" {
			t.Errorf("opcode %d has a sample but no command", op)
		}
	}
	var list strings.Builder
	for _, op := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(&list, "%d %s\n", op, names[op])
		fresh := commandTypes[op]
		if fresh == nil {
			t.Errorf("opcode %d (%s) has no sample in this test and so no golden file", op, names[op])
			continue
		}
		t.Run(names[op], func(t *testing.T) {
			command := filled(fresh())
			entry := Encode(op, command)
			golden(t, "command_"+names[op], hexLines(entry))
			opened, err := openEntry(entry)
			if err != nil || opened.op != op || opened.version != commandVersion || opened.ignorable {
				t.Fatalf("opened as %+v, %v", opened, err)
			}
			checkDecodes(t, opened.body, command, fresh())
		})
	}
	golden(t, "opcodes", list.String())
}

// TestRowEncodings pins the bytes of every row of a snapshot.
func TestRowEncodings(t *testing.T) {
	if len(rowTypes) != len(schema().Tables) {
		t.Errorf("%d tables, %d of them in snapshots", len(schema().Tables), len(rowTypes))
	}
	var list strings.Builder
	for _, row := range rowTypes {
		fmt.Fprintf(&list, "%d %s\n", row.number, row.table)
		t.Run(row.table, func(t *testing.T) {
			value := filled(row.fresh())
			b := encode(value)
			golden(t, "row_"+row.table, hexLines(b))
			checkDecodes(t, b, value, row.fresh())
		})
	}
	golden(t, "rows", list.String())
}

func checkDecodes(t *testing.T, body []byte, want, into any) {
	t.Helper()
	if err := decode(body, into); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, into, samePacked); diff != "" {
		t.Errorf("decoded (-encoded +decoded):\n%s", diff)
	}
}

// TestEncodingIsCanonical: equal values are equal bytes, however their maps were
// built.
func TestEncodingIsCanonical(t *testing.T) {
	want := encode(filled(new(Task)))
	for range 100 {
		task := filled(new(Task)).(*Task)
		env := map[string]string{}
		for k, v := range task.Env {
			env[k] = v
		}
		task.Env = env
		if got := encode(task); string(got) != string(want) {
			t.Fatalf("%x\n%x", got, want)
		}
	}
}

// TestEncodingOmitsNothingThatIsSet walks every field of every type: two values
// that differ in one field must differ in bytes.
func TestEncodingOmitsNothingThatIsSet(t *testing.T) {
	for op, fresh := range commandTypes {
		zero := encode(fresh())
		v := reflect.ValueOf(fresh()).Elem()
		for i := range v.NumField() {
			value := reflect.ValueOf(fresh())
			n := 0
			fill(value.Elem().Field(i), &n)
			if string(encode(value.Interface())) == string(zero) {
				t.Errorf("opcode %d: field %s is not encoded", op, v.Type().Field(i).Name)
			}
		}
	}
}

// samePacked compares specs by what they say.
var samePacked = cmp.Transformer("spec", func(v *JobVersion) any {
	return []any{v.Namespace, v.Name, v.Version, v.CreatedAt, v.Spec(), v.Reads, v.History()}
})

// filled sets every field of *v, deep, each to another value.
func filled(v any) any {
	n := 0
	fill(reflect.ValueOf(v).Elem(), &n)
	return v
}

func fill(v reflect.Value, n *int) {
	if p, ok := v.Addr().Interface().(*packedSpec); ok {
		var s JobSpec
		fill(reflect.ValueOf(&s).Elem(), n)
		p.pack(&s)
		return
	}
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * 1_000_003)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256))
	case reflect.Uint64:
		v.SetUint(uint64(*n) * 1_000_000_007)
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.125)
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", *n))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 3 {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(k, n)
			fill(e, n)
			v.SetMapIndex(k, e)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("a replicated type has a field of kind " + v.Kind().String())
	}
}

func hexLines(b []byte) string {
	var out strings.Builder
	for chunk := range slices.Chunk(b, 32) {
		out.WriteString(hex.EncodeToString(chunk) + "\n")
	}
	return out.String()
}

// TestDecodeSharesNothing: raft and the reader of snapshots use their buffers
// again.
func TestDecodeSharesNothing(t *testing.T) {
	for op, fresh := range commandTypes {
		want := filled(fresh())
		b, got := encode(want), fresh()
		if err := decode(b, got); err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] = 0xff
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("opcode %d changed with its bytes:\n%s", op, diff)
		}
	}
}
