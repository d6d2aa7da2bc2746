package jobspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Summaries of what is wrong with a value.
const (
	wrongType    = "Wrong type"
	invalidValue = "Invalid value"
)

// text reads a string. Numbers are not taken for strings here: where only one
// type makes sense, another is a mistake.
func (f *fields) text(name string) string {
	s, _ := f.givenText(name)
	return s
}

// givenText also tells a text that was given from one that was not, or was wrong.
func (f *fields) givenText(name string) (string, bool) {
	v, ok := f.value(name)
	if !ok {
		return "", false
	}
	if v.Type() != cty.String {
		f.errorf(name, wrongType, "%s is a string, and this is %s. Write a text in quotes.", name, typeName(v))
		return "", false
	}
	s := v.AsString()
	if problem := checkText(s); problem != "" {
		f.errorf(name, invalidValue, "%s", problem)
		return "", false
	}
	return s, true
}

// checkText refuses the zero byte, which no program's arguments can hold.
func checkText(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		return "The text has a zero byte, which cannot be passed to a program."
	}
	return ""
}

// word reads one of a few words.
func (f *fields) word(name string, accepted ...string) string {
	s, ok := f.givenText(name)
	switch {
	case !ok:
		return ""
	case !slices.Contains(accepted, s):
		f.errorf(name, invalidValue, "%q is no value of %s. Use one of: %s.", s, name, strings.Join(accepted, ", "))
		return ""
	}
	return s
}

// flag reads true or false.
func (f *fields) flag(name string) bool {
	v, ok := f.value(name)
	if !ok {
		return false
	}
	if v.Type() != cty.Bool {
		f.errorf(name, wrongType, "%s is true or false, and this is %s.", name, typeName(v))
		return false
	}
	return v.True()
}

// number reads a number, if the attribute is set.
func (f *fields) number(name string) (cty.Value, bool) {
	v, ok := f.value(name)
	if ok && v.Type() != cty.Number {
		f.errorf(name, wrongType, "%s is a number, and this is %s.", name, typeName(v))
		return v, false
	}
	return v, ok
}

// count reads a whole number from 1 to limit. Zero is refused because in a spec
// it means the default.
func (f *fields) count(name string, limit int64) int64 {
	v, ok := f.number(name)
	if !ok {
		return 0
	}
	return f.whole(name, v, limit)
}

func (f *fields) whole(name string, v cty.Value, limit int64) int64 {
	number := v.AsBigFloat()
	n, _ := number.Int64() // clamped where it does not fit, and so out of range
	if !number.IsInt() || n < 1 || n > limit {
		f.errorf(name, invalidValue, "%s is a whole number from 1 to %d. Leave it out for the default.", name, limit)
		return 0
	}
	return n
}

// amount reads a number above 0 up to limit, whole or not.
func (f *fields) amount(name string, limit float64) float64 {
	v, ok := f.number(name)
	if !ok {
		return 0
	}
	n, _ := v.AsBigFloat().Float64() // infinite where it does not fit, and so out of range
	if n <= 0 || n > limit {
		f.errorf(name, invalidValue, "%s is a number above 0, at most %g. Leave it out for no limit.", name, limit)
		return 0
	}
	return n
}

const sizeForm = `a whole number of bytes, or one with a unit in quotes, such as "64KiB", "10MiB" or "1GiB"; also B, KB, MB and GB`

// units are in the order in which a suffix is looked for: B ends all of them.
var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// size reads a number of bytes from 1 to limit.
func (f *fields) size(name string, limit int64) int64 {
	v, ok := f.value(name)
	switch {
	case !ok:
		return 0
	case v.Type() == cty.Number:
		return f.whole(name, v, limit)
	case v.Type() != cty.String:
		f.errorf(name, wrongType, "%s is a size, and this is %s. Write %s.", name, typeName(v), sizeForm)
		return 0
	}
	n, ok := parseSize(v.AsString())
	switch {
	case !ok:
		f.errorf(name, "Invalid size", "%q is not a size. Write %s.", v.AsString(), sizeForm)
		return 0
	case n < 1 || n > limit:
		f.errorf(name, "Invalid size", "%s is from 1 to %d bytes. Leave it out for the default.", name, limit)
		return 0
	}
	return n
}

// ParseSize reads a size as a job file has it, such as "10MiB" or "4096B". The
// error says which forms there are.
func ParseSize(s string) (int64, error) {
	n, ok := parseSize(s)
	if !ok || n < 0 {
		return 0, fmt.Errorf("%q is not a size: want a whole number with a unit, such as \"64KiB\", \"10MiB\" or \"1GiB\"; also B, KB, MB and GB", s)
	}
	return n, nil
}

// parseSize reads "10MiB". A size that does not fit in an int64 comes out as -1,
// which no limit allows.
func parseSize(s string) (int64, bool) {
	for _, u := range units {
		digits, found := strings.CutSuffix(s, u.suffix)
		if !found {
			continue
		}
		if digits == "" || strings.Trim(digits, "0123456789") != "" {
			return 0, false
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n > (1<<62)/u.bytes {
			return -1, true
		}
		return n * u.bytes, true
	}
	return 0, false
}

func typeName(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	name := v.Type().FriendlyNameForConstraint()
	switch name {
	case "object":
		return "a map"
	case "tuple":
		return "a list"
	case "any type":
		return "of no known type"
	}
	return "a " + name
}
