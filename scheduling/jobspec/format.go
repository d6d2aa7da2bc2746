package jobspec

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns a job file in HCL's canonical form: indentation, spaces and
// aligned equals signs. Only the syntax has to be right; a file that does not
// parse is refused with the diagnostics.
func Format(src Source) (formatted []byte, diags hcl.Diagnostics) {
	defer func() {
		if fault := recover(); fault != nil { // a fault in the HCL library
			formatted, diags = nil, unformattable(src, fmt.Sprintf("Formatting this file failed inside the HCL library: %v.", fault))
		}
	}()
	if _, diags = parse(src); diags.HasErrors() {
		return nil, diags
	}
	formatted = hclwrite.Format(src.Bytes)
	// The file will be overwritten: make sure that it still reads.
	if _, after := hclsyntax.ParseConfig(formatted, src.Name, hcl.InitialPos); after.HasErrors() {
		return nil, unformattable(src, "Formatting this file would break it. Leave it as it is.")
	}
	return formatted, diags
}

func unformattable(src Source, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "File not formatted", Detail: detail, Subject: fileStart(src).Ptr(),
	}}
}
