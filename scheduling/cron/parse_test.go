package cron

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseErrors(t *testing.T) {
	cases := []struct {
		expr string
		want SyntaxError // without Expr
	}{
		{"", SyntaxError{Problem: "the expression is empty: " + fieldsForm}},
		{" \t ", SyntaxError{Problem: "the expression is empty: " + fieldsForm}},
		{"0 2 * *", SyntaxError{Offset: 7, Problem: "the expression has 4 of 5 fields: " + fieldsForm}},
		{"0 0 2 * * * 2027", SyntaxError{Offset: 12, Text: "2027", Problem: "is a seventh field, and years are not supported: " + fieldsForm}},
		{"@reboot", SyntaxError{Text: "@reboot", Problem: "is not known: " + macrosForm}},
		{"@5minutes", SyntaxError{Text: "@5minutes", Problem: "is not known: " + macrosForm}},
		{" @every 5m", SyntaxError{Offset: 1, Text: "@every", Problem: `is not supported here: use the attribute every, such as every = "30s"`}},
		{"@daily x", SyntaxError{Offset: 7, Text: "x", Problem: "follows @daily, which stands alone"}},
		{"CRON_TZ=UTC 0 2 * * *", SyntaxError{Text: "CRON_TZ=UTC", Problem: "does not belong in an expression: a time zone goes into the attribute timezone"}},

		{"60 * * * *", SyntaxError{"", "minute", 0, "60", "is out of range: use 0-59"}},
		{"60 * * * * *", SyntaxError{"", "second", 0, "60", "is out of range: use 0-59"}},
		{"0 24 * * *", SyntaxError{"", "hour", 2, "24", "is out of range: use 0-23"}},
		{"0 0 0 * *", SyntaxError{"", "day of month", 4, "0", "is out of range: use 1-31"}},
		{"0 0 32 * *", SyntaxError{"", "day of month", 4, "32", "is out of range: use 1-31"}},
		{"0 0 * 13 *", SyntaxError{"", "month", 6, "13", "is out of range: use 1-12 or JAN-DEC"}},
		{"0 0 * * 8", SyntaxError{"", "day of week", 8, "8", "is out of range: use 0-7 (0 and 7 are Sunday) or SUN-SAT"}},
		{"  0\t 24 * * *", SyntaxError{"", "hour", 5, "24", "is out of range: use 0-23"}},
		{"*,99 * * * *", SyntaxError{"", "minute", 2, "99", "is out of range: use 0-59"}},
		{"99999999999999999999 * * * *", SyntaxError{"", "minute", 0, "99999999999999999999", "is out of range: use 0-59"}},

		{"1,,2 * * * *", SyntaxError{"", "minute", 2, "", "the list has an empty item: write values with one comma between them, such as 1,2"}},
		{"1, * * * *", SyntaxError{"", "minute", 2, "", "the list has an empty item: write values with one comma between them, such as 1,2"}},
		{"* ,1 * * *", SyntaxError{"", "hour", 2, "", "the list has an empty item: write values with one comma between them, such as 1,2"}},

		{"1-2-3 * * * *", SyntaxError{"", "minute", 0, "1-2-3", "is not a range: write a-b with values 0-59"}},
		{"-5 * * * *", SyntaxError{"", "minute", 0, "", "a value is missing: use 0-59"}},
		{"5- * * * *", SyntaxError{"", "minute", 2, "", "a value is missing: use 0-59"}},
		{"*-5 * * * *", SyntaxError{"", "minute", 0, "*", "is not a value: use 0-59, a range a-b, a step */n, or a list of them"}},
		{"5-1 * * * *", SyntaxError{"", "minute", 0, "5-1", "is a range that runs backwards: write 5-59,0-1"}},
		{"0 22-5 * * *", SyntaxError{"", "hour", 2, "22-5", "is a range that runs backwards: write 22-23,0-5"}},
		{"0 0 * * FRI-SUN", SyntaxError{"", "day of week", 8, "FRI-SUN", "is a range that runs backwards: write 5-6,0"}},
		{"0 0 * * 7-2", SyntaxError{"", "day of week", 8, "7-2", "is a range that runs backwards: write 7,0-2"}},

		{"*/0 * * * *", SyntaxError{"", "minute", 2, "0", "is out of range for a step: use 1-60; for a period of any length use every"}},
		{"*/61 * * * *", SyntaxError{"", "minute", 2, "61", "is out of range for a step: use 1-60; for a period of any length use every"}},
		{"0 1-5/25 * * *", SyntaxError{"", "hour", 6, "25", "is out of range for a step: use 1-24; for a period of any length use every"}},
		{"*/ * * * *", SyntaxError{"", "minute", 2, "", "the step is missing: write a number from 1 to 60 after the /"}},
		{"/5 * * * *", SyntaxError{"", "minute", 0, "", "a value is missing: use 0-59"}},
		{"1/2/3 * * * *", SyntaxError{"", "minute", 2, "2/3", "is not a step: write a number from 1 to 60 after the /"}},
		{"*/-2 * * * *", SyntaxError{"", "minute", 2, "-2", "is not a step: write a number from 1 to 60 after the /"}},

		{"0 0 L * *", SyntaxError{"", "day of month", 4, "L", "uses the extension L (last), which is not supported: list the days"}},
		{"0 0 L-3 * *", SyntaxError{"", "day of month", 4, "L", "uses the extension L (last), which is not supported: list the days"}},
		{"0 0 * * 5L", SyntaxError{"", "day of week", 8, "5L", "uses the extension L (last), which is not supported: list the days"}},
		{"0 0 1,15w * *", SyntaxError{"", "day of month", 6, "15w", "uses the extension W (nearest weekday), which is not supported: list the days"}},
		{"0 0 LW * *", SyntaxError{"", "day of month", 4, "LW", "uses the extension W (nearest weekday), which is not supported: list the days"}},
		{"0 0 * * MON#2", SyntaxError{"", "day of week", 8, "MON#2", "uses the extension # (n-th weekday of the month), which is not supported: list the days"}},
		{"0 0 ? * MON", SyntaxError{"", "day of month", 4, "?", "uses the extension ?, which is not supported: write * instead"}},
		{"H * * * *", SyntaxError{"", "minute", 0, "H", "uses the extension H (hash), which is not supported: use jitter"}},
		{"0~30 * * * *", SyntaxError{"", "minute", 0, "0~30", "uses the extension ~ (random), which is not supported: use jitter"}},

		{"JAN * * * *", SyntaxError{"", "minute", 0, "JAN", "is not a value: use 0-59, a range a-b, a step */n, or a list of them"}},
		{"0 0 * JANUARY *", SyntaxError{"", "month", 6, "JANUARY", "is not a value: use 1-12 or JAN-DEC, a range a-b, a step */n, or a list of them"}},
		{"0 0 * * JAN", SyntaxError{"", "day of week", 8, "JAN", "is not a value: use 0-7 (0 and 7 are Sunday) or SUN-SAT, a range a-b, a step */n, or a list of them"}},
		{"0 2\n* * * *", SyntaxError{"", "hour", 2, "2\n*", "is not a value: use 0-23, a range a-b, a step */n, or a list of them"}},
		{"+5 * * * *", SyntaxError{"", "minute", 0, "+5", "is not a value: use 0-59, a range a-b, a step */n, or a list of them"}},
		{"٣ * * * *", SyntaxError{"", "minute", 0, "٣", "is not a value: use 0-59, a range a-b, a step */n, or a list of them"}},

		{"0 0 30 2 *", SyntaxError{"", "day of month", 4, "30", "never comes: no month of the expression has such a day"}},
		{"0 0 0 30,31 feb *", SyntaxError{"", "day of month", 6, "30,31", "never comes: no month of the expression has such a day"}},
		{"0 0 31 4,6,9,11 */2", SyntaxError{"", "day of month", 4, "31", "never comes: no month of the expression has such a day"}},
	}
	for _, c := range cases {
		t.Run(c.expr, func(t *testing.T) {
			_, err := Parse(c.expr)
			var got *SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("Parse(%q) = %v, want a *SyntaxError", c.expr, err)
			}
			c.want.Expr = c.expr
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("Parse(%q) (-want +got):\n%s", c.expr, diff)
			}
			if !strings.HasPrefix(c.expr[got.Offset:], got.Text) {
				t.Errorf("%q does not stand at offset %d", got.Text, got.Offset)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	cases := []struct{ expr, want string }{
		{"0 24 * * *", `cron expression "0 24 * * *": hour, column 3: "24" is out of range: use 0-23`},
		{"1, * * * *", `cron expression "1, * * * *": minute, column 3: the list has an empty item: write values with one comma between them, such as 1,2`},
		{"@reboot", `cron expression "@reboot": column 1: "@reboot" is not known: use @hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually`},
		{
			strings.Repeat("é", 129),
			`cron expression "éééééééééééééééé…": column 257: the expression has 258 bytes: use at most 256`,
		},
	}
	for _, c := range cases {
		if _, err := Parse(c.expr); err == nil || err.Error() != c.want {
			t.Errorf("Parse(%q):\n got %v\nwant %s", c.expr, err, c.want)
		}
	}
	if _, err := Parse(strings.Repeat("1,", 123) + "1 * * * *"); err != nil {
		t.Errorf("an expression of 255 bytes: %v", err)
	}
}

// What each notation means, as the instants of a while.
func TestParseMeaning(t *testing.T) {
	const layout = "Jan 2 Mon 15:04:05"
	start := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC) // 2027-01-01 is a Friday
	cases := []struct {
		expr string
		want []string
	}{
		{"@hourly", []string{"Jan 1 Fri 00:00:00", "Jan 1 Fri 01:00:00"}},
		{"@daily", []string{"Jan 1 Fri 00:00:00", "Jan 2 Sat 00:00:00"}},
		{"@midnight", []string{"Jan 1 Fri 00:00:00", "Jan 2 Sat 00:00:00"}},
		{"@Weekly", []string{"Jan 3 Sun 00:00:00", "Jan 10 Sun 00:00:00"}},
		{"@monthly", []string{"Jan 1 Fri 00:00:00", "Feb 1 Mon 00:00:00"}},
		{"@yearly", []string{"Jan 1 Fri 00:00:00", "Jan 1 Sat 00:00:00"}},
		{"@annually", []string{"Jan 1 Fri 00:00:00", "Jan 1 Sat 00:00:00"}},
		{"5,10 2 * * *", []string{"Jan 1 Fri 02:05:00", "Jan 1 Fri 02:10:00", "Jan 2 Sat 02:05:00"}},
		{"07/20 2 * * *", []string{"Jan 1 Fri 02:07:00", "Jan 1 Fri 02:27:00", "Jan 1 Fri 02:47:00", "Jan 2 Sat 02:07:00"}},
		{"10-30/15 2 * * *", []string{"Jan 1 Fri 02:10:00", "Jan 1 Fri 02:25:00", "Jan 2 Sat 02:10:00"}},
		{"*/60 */24 * * *", []string{"Jan 1 Fri 00:00:00", "Jan 2 Sat 00:00:00"}},
		{"30 0 0 * * *", []string{"Jan 1 Fri 00:00:30", "Jan 2 Sat 00:00:30"}},
		{"0 0 * * 7", []string{"Jan 3 Sun 00:00:00", "Jan 10 Sun 00:00:00"}},
		{"0 0 * 8 7", []string{"Aug 1 Sun 00:00:00", "Aug 8 Sun 00:00:00"}},
		{"0 0 * * sat-7", []string{"Jan 2 Sat 00:00:00", "Jan 3 Sun 00:00:00", "Jan 9 Sat 00:00:00"}},
		{"0 0 * * 5/2", []string{"Jan 1 Fri 00:00:00", "Jan 8 Fri 00:00:00"}},
		{"0 0 1 Mar,nov *", []string{"Mar 1 Mon 00:00:00", "Nov 1 Mon 00:00:00"}},
		{"0 0 29 2 *", []string{"Feb 29 Tue 00:00:00", "Feb 29 Sun 00:00:00"}},
		// Both day fields restricted: either.
		{"0 0 5 * MON", []string{"Jan 4 Mon 00:00:00", "Jan 5 Tue 00:00:00", "Jan 11 Mon 00:00:00"}},
		{"0 0 30 2 MON", []string{"Feb 1 Mon 00:00:00", "Feb 8 Mon 00:00:00"}},
		// One begins with a star, whatever follows: both.
		{"0 0 */2 * MON", []string{"Jan 11 Mon 00:00:00", "Jan 25 Mon 00:00:00"}},
		{"0 0 13 * */5", []string{"Jun 13 Sun 00:00:00", "Aug 13 Fri 00:00:00"}},
		{"0 0 *,5 * MON", []string{"Jan 4 Mon 00:00:00", "Jan 11 Mon 00:00:00"}},
		{"0 0 5 * *,MON", []string{"Jan 5 Tue 00:00:00", "Feb 5 Fri 00:00:00"}},
		// A star that is not first restricts nothing, but counts as restricted.
		{"0 0 5 * MON,*", []string{"Jan 1 Fri 00:00:00", "Jan 2 Sat 00:00:00"}},
	}
	for _, c := range cases {
		t.Run(c.expr, func(t *testing.T) {
			s := mustCompile(t, Spec{Cron: c.expr})
			instants, _, err := s.Between(start, start.AddDate(20, 0, 0), len(c.want))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, instant := range instants {
				got = append(got, instant.Format(layout))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExprString(t *testing.T) {
	for _, want := range []string{"@daily", " 0  2 * * *\t"} {
		expr, err := Parse(want)
		if err != nil || expr.String() != want {
			t.Errorf("Parse(%q).String() = %q, %v", want, expr.String(), err)
		}
	}
}
