package membership

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/memberlist"
)

func TestMetaRoundTrip(t *testing.T) {
	want := meta{
		Name: "n1", Incarnation: 1<<64 - 1, Leaving: true,
		Attributes: Attributes{
			HTTPAddr: "10.0.0.1:7700", RaftAddr: "10.0.0.1:7701", Region: "cn-east", Zone: "a",
			Labels: map[string]string{"disk": "ssd"}, Capacity: 100, Version: "1.0.0", FormatVersion: 3,
			BootstrapExpect: 3, Bootstrapped: true, BootstrapView: "0011223344556677",
		},
	}
	raw, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > 256 {
		t.Errorf("an ordinary node takes %d bytes, which leaves too little for labels", len(raw))
	}
	got, err := decodeMeta(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMetaOfANewerVersionKeepsTheCommonPart(t *testing.T) {
	raw := append([]byte{metaVersion + 1}, `{"n":"n1","r":"10.0.0.1:7701","quantum":{"x":[1]}}`...)
	got, err := decodeMeta(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "n1" || got.RaftAddr != "10.0.0.1:7701" {
		t.Errorf("decoded %+v", got)
	}
}

func TestMetaRefusesWhatIsNotOurs(t *testing.T) {
	for _, raw := range []string{"", "\x01", "\x00{}", "\x01{}", "\x01[1]", "\x01{\"n\":3}", "role=consul"} {
		if _, err := decodeMeta([]byte(raw)); !errors.Is(err, ErrMetaInvalid) {
			t.Errorf("decodeMeta(%q) error = %v, want %v", raw, err, ErrMetaInvalid)
		}
	}
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add([]byte("\x01{\"n\":\"n1\",\"l\":{\"a\":\"b\"}}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := decodeMeta(raw); err == nil && m.Name == "" {
			t.Error("accepted a node without a name")
		}
	})
}

func TestMetaRefusesWhatDoesNotFit(t *testing.T) {
	fits := meta{Name: "n1", Attributes: Attributes{Labels: map[string]string{"k": strings.Repeat("v", 400)}}}
	if raw, err := fits.encode(); err != nil || len(raw) > memberlist.MetaMaxSize {
		t.Errorf("encode = %d bytes, %v", len(raw), err)
	}
	fits.Labels["k"] = strings.Repeat("v", 500)
	if _, err := fits.encode(); !errors.Is(err, ErrMetaTooLarge) || !strings.Contains(err.Error(), "labels") {
		t.Errorf("error = %v, want %v that speaks of labels", err, ErrMetaTooLarge)
	}
}
