package agent

import (
	"strings"
	"testing"
)

func TestSizeFlag(t *testing.T) {
	for text, want := range map[string]string{
		"10GiB": "10GiB", "1024MiB": "1GiB", "1536KiB": "1536KiB", "5MB": "5000000B", "7B": "7B", "0B": "0B",
	} {
		var s sizeFlag
		if err := s.Set(text); err != nil || s.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, s.String(), err, want)
		}
	}
	for _, text := range []string{"", "10", "GiB", "-1GiB", "1.5GiB", "99999999999GiB", "10TB"} {
		var s sizeFlag
		if err := s.Set(text); err == nil || !strings.Contains(err.Error(), "not a size") {
			t.Errorf("%q: %v, want an error", text, err)
		}
	}
	if help := Command("test").Flags().FlagUsages(); !strings.Contains(help, "(default 10GiB)") || !strings.Contains(help, "(default 168h0m0s)") {
		t.Errorf("the help does not name the defaults:\n%s", help)
	}
}
