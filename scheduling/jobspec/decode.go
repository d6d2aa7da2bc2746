package jobspec

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/rota-scheduler/rota/fsm"
)

// MaxJobs is the largest number of jobs in one call.
const MaxJobs = 10_000

// Options of Decode. The zero value holds the defaults.
type Options struct {
	// Namespace is that of the jobs which name none. Empty means
	// fsm.DefaultNamespace.
	Namespace string
}

// Decode reads every job of every source, in their order. With an error among
// the diagnostics there are no jobs; problems of several sources are reported
// together, at most about a hundred.
func Decode(sources []Source, opt Options) ([]fsm.JobSpec, hcl.Diagnostics) {
	d := &decoder{
		namespace: cmp.Or(opt.Namespace, fsm.DefaultNamespace),
		seen:      make(map[fsm.JobKey]hcl.Range),
		report:    &reporter{},
	}
	if d.checkTotal(sources) {
		for _, src := range sources {
			d.source(src)
		}
	}
	diags := d.report.result(sources)
	if diags.HasErrors() {
		return nil, diags
	}
	return d.specs, diags
}

// decoder is the state of one call.
type decoder struct {
	namespace string
	report    *reporter
	specs     []fsm.JobSpec
	jobs      int                      // job blocks so far, the wrong ones too
	seen      map[fsm.JobKey]hcl.Range // headers of the jobs so far
}

func (d *decoder) checkTotal(sources []Source) bool {
	total := 0
	for _, src := range sources {
		total += len(src.Bytes)
	}
	switch {
	case len(sources) == 0:
		d.refuseAll("No jobs", "No job file is given.")
	case len(sources) > MaxFiles:
		d.refuseAll("Too many files", fmt.Sprintf("There are %d files: use at most %d in one call.", len(sources), MaxFiles))
	case total > MaxTotalBytes:
		d.refuseAll("Files too large", fmt.Sprintf("The files have %d bytes: use at most %d in one call.", total, MaxTotalBytes))
	default:
		return true
	}
	return false
}

// refuseAll reports what is wrong with the call and stands in no file.
func (d *decoder) refuseAll(summary, detail string) {
	d.report.add(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail})
}

var fileSchema = &hcl.BodySchema{
	Blocks: []hcl.BlockHeaderSchema{{Type: "job", LabelNames: []string{"name"}}},
}

// source reads the jobs of one source. A panic below it is a fault in the HCL
// library; it must not end a server that was sent the text.
func (d *decoder) source(src Source) {
	start := fileStart(src)
	defer func() {
		if fault := recover(); fault != nil {
			d.report.errorf(start, "Unreadable file", "Reading this file failed inside the HCL library: %v.", fault)
		}
	}()
	file, diags := parse(src)
	d.report.add(diags...)
	if diags.HasErrors() {
		return
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		d.report.errorf(start, "Unreadable file", "Job files are written in HCL's native syntax.")
		return
	}
	top := openBody(d.report, src.Bytes, "", fileSchema, body, start)
	if len(top.blocks) == 0 && top.ok() {
		d.report.errorf(start, "No jobs", "There is no job in this file, so there is nothing to apply. "+
			`A job is a block that begins with: job "name" {`)
	}
	for _, block := range top.blocks {
		if d.jobs++; d.jobs > MaxJobs {
			d.report.errorf(block.DefRange, "Too many jobs", "Use at most %d jobs in one call.", MaxJobs)
			return
		}
		d.job(top, block)
	}
}

// parse reads a source's syntax, within the limits.
func parse(src Source) (*hcl.File, hcl.Diagnostics) {
	if len(src.Bytes) > MaxSourceBytes {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "File too large",
			Detail:   fmt.Sprintf("%s has %d bytes: use at most %d, or several files.", src.Name, len(src.Bytes), MaxSourceBytes),
			Subject:  fileStart(src).Ptr(),
		}}
	}
	if problem := checkShape(src); problem != nil {
		return nil, hcl.Diagnostics{problem}
	}
	return hclsyntax.ParseConfig(src.Bytes, src.Name, hcl.InitialPos)
}

// job reads one job block and adds it to the specs.
func (d *decoder) job(file *fields, block *hcl.Block) {
	j := decodeJob(file, block, d.namespace)
	j.validate()
	key := j.spec.Key()
	if first, twice := d.seen[key]; twice {
		d.report.errorf(block.DefRange, "Duplicate job",
			"There is already a job %q, at %s. A name may stand once in all the files that are applied together.",
			key.String(), place(first))
		return
	}
	d.seen[key] = block.DefRange
	d.specs = append(d.specs, j.spec)
}

// fileStart is where a problem of a whole file stands.
func fileStart(src Source) hcl.Range {
	return hcl.Range{Filename: src.Name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// place spells where something begins.
func place(r hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d", r.Filename, r.Start.Line, r.Start.Column)
}
