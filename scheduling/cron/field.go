package cron

import (
	"fmt"
	"strconv"
	"strings"
)

// fieldSpec describes one of the six fields of an expression.
type fieldSpec struct {
	name     string
	min, max int      // what "*" spans
	limit    int      // largest number a person may write: 7 for weekdays, otherwise max
	names    []string // names[i] stands for min+i
	accepts  string
}

var (
	secondField     = fieldSpec{name: "second", max: 59, limit: 59, accepts: "0-59"}
	minuteField     = fieldSpec{name: "minute", max: 59, limit: 59, accepts: "0-59"}
	hourField       = fieldSpec{name: "hour", max: 23, limit: 23, accepts: "0-23"}
	dayOfMonthField = fieldSpec{name: "day of month", min: 1, max: 31, limit: 31, accepts: "1-31"}
	monthField      = fieldSpec{
		name: "month", min: 1, max: 12, limit: 12, accepts: "1-12 or JAN-DEC",
		names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"},
	}
	dayOfWeekField = fieldSpec{
		name: "day of week", max: 6, limit: 7, accepts: "0-7 (0 and 7 are Sunday) or SUN-SAT",
		names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"},
	}
)

// token is a piece of an expression and where it stands.
type token struct {
	text   string
	offset int
}

func (t token) cut(sep string) (before, after token, found bool) {
	left, right, found := strings.Cut(t.text, sep)
	return token{left, t.offset}, token{right, t.offset + len(left) + len(sep)}, found
}

// fieldSet is a parsed field: bit v is set when value v matches.
type fieldSet struct {
	bits uint64
	star bool // the field begins with "*"
}

// fieldParser reads one field. It holds what every error has to name.
type fieldParser struct {
	fieldSpec
	expr string
}

func (p *fieldParser) errorf(at token, format string, args ...any) error {
	return &SyntaxError{
		Expr: p.expr, Field: p.name, Offset: at.offset, Text: at.text,
		Problem: fmt.Sprintf(format, args...),
	}
}

func (p *fieldParser) parse(field token) (fieldSet, error) {
	set := fieldSet{star: strings.HasPrefix(field.text, "*")}
	for rest, more := field, true; more; {
		var item token
		item, rest, more = rest.cut(",")
		bits, err := p.parseItem(item)
		if err != nil {
			return fieldSet{}, err
		}
		set.bits |= bits
	}
	return set, nil
}

func (p *fieldParser) parseItem(item token) (uint64, error) {
	if item.text == "" {
		return 0, p.errorf(item, "the list has an empty item: write values with one comma between them, such as 1,2")
	}
	base, stepText, stepped := item.cut("/")
	low, high, err := p.parseBase(base, stepped)
	if err != nil {
		return 0, err
	}
	step := 1
	if stepped {
		if step, err = p.parseStep(stepText); err != nil {
			return 0, err
		}
	}
	var bits uint64
	for v := low; v <= high; v += step {
		bits |= 1 << p.normal(v)
	}
	return bits, nil
}

// normal folds the second name of Sunday onto the first.
func (p *fieldParser) normal(v int) int {
	if v > p.max {
		return p.min
	}
	return v
}

// parseBase reads what stands before the step: "*", a value or a range. A value
// with a step runs to the field's end.
func (p *fieldParser) parseBase(base token, stepped bool) (low, high int, err error) {
	if base.text == "*" {
		return p.min, p.max, nil
	}
	if strings.Count(base.text, "-") > 1 {
		return 0, 0, p.errorf(base, "is not a range: write a-b with values %s", p.accepts)
	}
	from, to, ranged := base.cut("-")
	if low, err = p.parseValue(from); err != nil {
		return 0, 0, err
	}
	if !ranged {
		if stepped {
			return low, max(low, p.max), nil
		}
		return low, low, nil
	}
	if high, err = p.parseValue(to); err != nil {
		return 0, 0, err
	}
	if low > high {
		return 0, 0, p.errorf(base, "is a range that runs backwards: write %s,%s", spell(low, p.max), spell(p.min, high))
	}
	return low, high, nil
}

// spell writes a range as a person would.
func spell(low, high int) string {
	if low >= high {
		return strconv.Itoa(low)
	}
	return fmt.Sprintf("%d-%d", low, high)
}

func (p *fieldParser) parseStep(step token) (int, error) {
	size := p.max - p.min + 1
	if step.text == "" {
		return 0, p.errorf(step, "the step is missing: write a number from 1 to %d after the /", size)
	}
	if !isNumber(step.text) {
		return 0, p.errorf(step, "is not a step: write a number from 1 to %d after the /", size)
	}
	n, err := strconv.Atoi(step.text)
	if err != nil || n < 1 || n > size {
		return 0, p.errorf(step, "is out of range for a step: use 1-%d; for a period of any length use every", size)
	}
	return n, nil
}

func (p *fieldParser) parseValue(value token) (int, error) {
	switch {
	case value.text == "":
		return 0, p.errorf(value, "a value is missing: use %s", p.accepts)
	case isNumber(value.text):
		n, err := strconv.Atoi(value.text)
		if err != nil || n < p.min || n > p.limit {
			return 0, p.errorf(value, "is out of range: use %s", p.accepts)
		}
		return n, nil
	}
	upper := strings.ToUpper(value.text)
	for i, name := range p.names {
		if upper == name {
			return p.min + i, nil
		}
	}
	if hint := extensionHint(upper); hint != "" {
		return 0, p.errorf(value, "%s", hint)
	}
	return 0, p.errorf(value, "is not a value: use %s, a range a-b, a step */n, or a list of them", p.accepts)
}

// extensionHint recognises what other dialects of cron accept, so that the
// error can name it. It is empty for anything else.
func extensionHint(upper string) string {
	const unsupported = "uses the extension %s, which is not supported: %s"
	switch suffix := strings.TrimLeft(upper, "0123456789"); {
	case upper == "?":
		return fmt.Sprintf(unsupported, "?", "write * instead")
	case suffix == "L":
		return fmt.Sprintf(unsupported, "L (last)", "list the days")
	case suffix == "W" || suffix == "LW":
		return fmt.Sprintf(unsupported, "W (nearest weekday)", "list the days")
	case strings.Contains(upper, "#"):
		return fmt.Sprintf(unsupported, "# (n-th weekday of the month)", "list the days")
	case strings.Contains(upper, "~"):
		return fmt.Sprintf(unsupported, "~ (random)", "use jitter")
	case upper == "H" || strings.HasPrefix(upper, "H("):
		return fmt.Sprintf(unsupported, "H (hash)", "use jitter")
	}
	return ""
}

// isNumber reports whether s is made of ASCII digits only: no sign, no space.
func isNumber(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}
