package match

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxParts bounds the numbers of a version.
const maxParts = 8

// version is the numbers of a version; what is missing at the end is zero.
type version [maxParts]uint64

// parseVersion reads "v1.2.3-rc1+build" and returns how many numbers there are.
// What follows the numbers is not compared: between releases nobody agrees on what
// it means.
func parseVersion(s string) (v version, parts int, ok bool) {
	s = strings.TrimPrefix(s, "v")
	if i := strings.IndexAny(s, "-+"); i >= 0 {
		s = s[:i]
	}
	numbers := strings.Split(s, ".")
	if len(numbers) > maxParts {
		return v, 0, false
	}
	for i, n := range numbers {
		if n == "" || strings.Trim(n, "0123456789") != "" {
			return v, 0, false
		}
		value, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			return v, 0, false
		}
		v[i] = value
	}
	return v, len(numbers), true
}

// bound is one comparison with a version.
type bound struct {
	op    string
	with  version
	below version // of ~>
}

type bounds []bound

// operators in the order in which they are looked for: < begins <=.
var operators = []string{"~>", ">=", "<=", "!=", "=", ">", "<"}

const versionForm = `want comparisons with =, !=, >, >=, <, <= or ~>, such as ">= 1.2, < 2"`

// parseBounds reads ">= 1.2, < 2": all of them must hold.
func parseBounds(s string) (bounds, error) {
	var all bounds
	for part := range strings.SplitSeq(s, ",") {
		text := strings.TrimSpace(part)
		b := bound{op: "="}
		for _, op := range operators {
			if rest, found := strings.CutPrefix(text, op); found {
				b.op, text = op, strings.TrimSpace(rest)
				break
			}
		}
		var parts int
		var ok bool
		if b.with, parts, ok = parseVersion(text); !ok {
			return nil, fmt.Errorf("%w: %q: %s", ErrBad, s, versionForm)
		}
		if b.op == "~>" {
			if parts < 2 {
				return nil, fmt.Errorf("%w: %q: ~> needs two numbers or more, such as ~> 1.2", ErrBad, s)
			}
			copy(b.below[:], b.with[:parts-1])
			b.below[parts-2]++
		}
		all = append(all, b)
	}
	return all, nil
}

// holds says whether a text is a version that meets every bound. A text that is
// no version meets none.
func (all bounds) holds(s string) bool {
	v, _, ok := parseVersion(s)
	return ok && !slices.ContainsFunc(all, func(b bound) bool { return !b.holds(v) })
}

func (b *bound) holds(v version) bool {
	order := slices.Compare(v[:], b.with[:])
	switch b.op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	}
	return order >= 0 && slices.Compare(v[:], b.below[:]) < 0 // ~>
}
