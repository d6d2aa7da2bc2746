package jobspec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// This file lists what belongs to the job file's language and is not built in
// this version. Each name is refused by name, so that nobody believes that a
// line of a file does something. Building a thing means deleting its name here
// and adding it to the block that has it.

// notYetNames are attributes and blocks, by the block they stand in; "" is the
// file itself.
var notYetNames = map[string][]string{
	"job": {
		"retry", "stop_after", "on_node_loss", "for_each",
	},
	"task": {
		"region", "region_policy", "priority",
		"expected_duration", "for_each",
	},
}

const notYetText = "known, but this version of rota does not have it yet"

// notYet refuses a thing, which what names as the file spells it.
func notYet(what string, at hcl.Range) *hcl.Diagnostic {
	detail := fmt.Sprintf("%s is %s.", what, notYetText)
	if strings.Contains(what, `"for_each"`) {
		detail += ` For several blocks of a kind, use a dynamic block: dynamic "task" { for_each = … }.`
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Not available yet",
		Detail:   detail,
		Subject:  at.Ptr(),
	}
}

func isNotYetName(block, name string) bool {
	return slices.Contains(notYetNames[block], name)
}
