package cron

import (
	"fmt"
	"strings"
)

// MaxExprLen is the longest expression that Parse takes, in bytes.
const MaxExprLen = 256

var macros = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

const (
	fieldsForm = "write five fields (minute hour day-of-month month day-of-week), or six with seconds first"
	macrosForm = "use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually"
)

// Parse reads a cron expression. Its error is always a *SyntaxError.
func Parse(expr string) (Expr, error) {
	if len(expr) > MaxExprLen {
		return Expr{}, &SyntaxError{
			Expr: expr[:32] + "…", Offset: MaxExprLen,
			Problem: fmt.Sprintf("the expression has %d bytes: use at most %d", len(expr), MaxExprLen),
		}
	}
	fields := splitFields(expr)
	if len(fields) > 0 && strings.HasPrefix(fields[0].text, "@") {
		return parseMacro(expr, fields)
	}
	return parseFields(expr, fields)
}

// splitFields cuts an expression at its spaces and tabs. Other white space is
// left in place, where no field accepts it.
func splitFields(expr string) []token {
	var fields []token
	for start := 0; start < len(expr); {
		rest := expr[start:]
		width := strings.IndexAny(rest, " \t")
		if width < 0 {
			width = len(rest)
		}
		if width > 0 {
			fields = append(fields, token{rest[:width], start})
		}
		start += width + 1
	}
	return fields
}

func parseMacro(source string, fields []token) (Expr, error) {
	meaning, known := macros[strings.ToLower(fields[0].text)]
	switch {
	case strings.EqualFold(fields[0].text, "@every"):
		return Expr{}, wholeError(source, fields[0], `is not supported here: use the attribute every, such as every = "30s"`)
	case !known:
		return Expr{}, wholeError(source, fields[0], "is not known: "+macrosForm)
	case len(fields) > 1:
		return Expr{}, wholeError(source, fields[1], "follows "+fields[0].text+", which stands alone")
	}
	expr, err := parseFields(meaning, splitFields(meaning))
	expr.source = source
	return expr, err
}

func wholeError(expr string, at token, problem string) error {
	return &SyntaxError{Expr: expr, Offset: at.offset, Text: at.text, Problem: problem}
}

// checkShape refuses what is wrong before any field is read.
func checkShape(source string, fields []token) error {
	if len(fields) == 0 {
		return wholeError(source, token{}, "the expression is empty: "+fieldsForm)
	}
	if strings.Contains(fields[0].text, "=") {
		return wholeError(source, fields[0], "does not belong in an expression: a time zone goes into the attribute timezone")
	}
	if len(fields) < 5 {
		end := token{offset: len(source)}
		return wholeError(source, end, fmt.Sprintf("the expression has %d of 5 fields: %s", len(fields), fieldsForm))
	}
	if len(fields) > 6 {
		return wholeError(source, fields[6], "is a seventh field, and years are not supported: "+fieldsForm)
	}
	return nil
}

func parseFields(source string, fields []token) (Expr, error) {
	if err := checkShape(source, fields); err != nil {
		return Expr{}, err
	}
	specs := []fieldSpec{secondField, minuteField, hourField, dayOfMonthField, monthField, dayOfWeekField}
	sets := []fieldSet{{bits: 1}, {}, {}, {}, {}, {}} // second 0, unless the field is given
	skip := len(specs) - len(fields)
	for i, field := range fields {
		parser := fieldParser{fieldSpec: specs[skip+i], expr: source}
		set, err := parser.parse(field)
		if err != nil {
			return Expr{}, err
		}
		sets[skip+i] = set
	}
	expr := newExpr(source, sets)
	if !expr.possible() {
		parser := fieldParser{fieldSpec: dayOfMonthField, expr: source}
		return Expr{}, parser.errorf(fields[3-skip], "never comes: no month of the expression has such a day")
	}
	return expr, nil
}
