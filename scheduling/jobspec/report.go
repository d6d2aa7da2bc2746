package jobspec

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// maxDiagnostics bounds the problems that one call reports. The rest are counted.
const maxDiagnostics = 100

// reporter collects the problems of one call.
type reporter struct {
	diags   hcl.Diagnostics
	dropped int
}

func (r *reporter) add(diags ...*hcl.Diagnostic) {
	for _, d := range diags {
		if len(r.diags) < maxDiagnostics {
			r.diags = append(r.diags, d)
		} else {
			r.dropped++
		}
	}
}

func (r *reporter) errorf(at hcl.Range, summary, format string, args ...any) {
	r.add(&hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(format, args...),
		Subject:  at.Ptr(),
	})
}

// result returns the problems in the order of the sources and of their lines:
// the HCL library reports attributes in random order.
func (r *reporter) result(sources []Source) hcl.Diagnostics {
	order := make(map[string]int, len(sources))
	for i, s := range sources {
		order[s.Name] = i
	}
	slices.SortStableFunc(r.diags, func(a, b *hcl.Diagnostic) int {
		x, y := subject(a), subject(b)
		return cmp.Or(
			cmp.Compare(order[x.Filename], order[y.Filename]),
			cmp.Compare(x.Start.Byte, y.Start.Byte),
			cmp.Compare(a.Detail, b.Detail),
		)
	})
	if r.dropped > 0 {
		return append(r.diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Too many problems",
			Detail:   fmt.Sprintf("There are %d problems more. Correct those above first.", r.dropped),
		})
	}
	return r.diags
}

// subject is where a problem stands; the zero range stands for no file.
func subject(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{}
	}
	return *d.Subject
}
