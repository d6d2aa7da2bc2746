package jobspec

import (
	"fmt"
	"io"

	"github.com/hashicorp/hcl/v2"
)

// maxScanned bounds the source text that Write reads for the lines it shows. The
// HCL library reads a file from its beginning to its end for each diagnostic.
const maxScanned = 4 << 20

// Write prints diagnostics as HCL does, each with the lines of the file that it
// is about; where very many are about large files, the later ones name the line
// only. width wraps the text; 0 means no wrapping. color adds the escape
// sequences of a terminal. Its error is that of w.
func Write(w io.Writer, diags hcl.Diagnostics, sources []Source, width uint, color bool) error {
	files := make(map[string]*hcl.File)
	for _, src := range sources {
		if isSubject(diags, src.Name) {
			files[src.Name] = fileOf(src)
		}
	}
	withLines := hcl.NewDiagnosticTextWriter(w, files, width, color)
	without := hcl.NewDiagnosticTextWriter(w, nil, width, color)
	scanned := 0
	for _, d := range diags {
		writer := withLines
		if file := files[subject(d).Filename]; file != nil {
			if scanned += len(file.Bytes); scanned > maxScanned {
				writer = without
			}
		}
		if err := writePlace(w, subject(d)); err != nil {
			return err
		}
		if err := writer.WriteDiagnostic(d); err != nil {
			return fmt.Errorf("print the problems of the job files: %w", err)
		}
	}
	return nil
}

func isSubject(diags hcl.Diagnostics, name string) bool {
	for _, d := range diags {
		if d.Subject != nil && d.Subject.Filename == name {
			return true
		}
	}
	return false
}

// fileOf parses a source again, since a parsed file also tells in which block a
// line is. A file that does not parse still has its lines; one that is too large
// is not shown.
func fileOf(src Source) (file *hcl.File) {
	if len(src.Bytes) > MaxSourceBytes {
		return nil
	}
	defer func() {
		if recover() != nil || file == nil { // a fault in the HCL library, or over a limit
			file = &hcl.File{Bytes: src.Bytes}
		}
	}()
	file, _ = parse(src)
	return file
}

// Problem is a diagnostic as plain data, for an API. Line and Column count from
// 1, Column in characters; they and File are empty for a problem of no file.
type Problem struct {
	Severity string `json:"severity"` // "error" or "warning"
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
}

// Problems converts diagnostics, in their order.
func Problems(diags hcl.Diagnostics) []Problem {
	problems := make([]Problem, 0, len(diags))
	for _, d := range diags {
		p := Problem{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			p.Severity = "warning"
		}
		if d.Subject != nil {
			p.File, p.Line, p.Column = d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column
		}
		problems = append(problems, p)
	}
	return problems
}

// writePlace begins a diagnostic with "file:line:column: ", which editors and
// people with a terminal can follow: HCL's own text names no column.
func writePlace(w io.Writer, at hcl.Range) error {
	if at.Filename == "" {
		return nil
	}
	if _, err := fmt.Fprintf(w, "%s:%d:%d: ", at.Filename, at.Start.Line, at.Start.Column); err != nil {
		return fmt.Errorf("print the problems of the job files: %w", err)
	}
	return nil
}
