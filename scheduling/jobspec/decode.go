package jobspec

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

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
	// Inputs give the variables their values. Of several for one variable the
	// last counts.
	Inputs []Input
}

// Decode reads every job and pool of every source, in their order. The sources
// share their variables and local values. With an error among the diagnostics there
// is no content; problems of several sources are reported together, at most about
// a hundred.
func Decode(sources []Source, opt Options) (Content, hcl.Diagnostics) {
	return decode(sources, opt, maxWork)
}

// decode is Decode with a limit of the work that expressions do.
func decode(sources []Source, opt Options, work int) (Content, hcl.Diagnostics) {
	report := &reporter{}
	d := &decoder{
		namespace: cmp.Or(opt.Namespace, fsm.DefaultNamespace),
		seen:      make(map[fsm.JobKey]hcl.Range),
		pools:     make(map[string]hcl.Range),
		report:    report,
		env:       newEnv(report, work),
	}
	if d.checkTotal(sources, opt.Inputs) {
		d.decode(sources, opt.Inputs)
	}
	for _, input := range opt.Inputs {
		sources = append(slices.Clip(sources), input.Source)
	}
	diags := report.result(sources)
	if diags.HasErrors() {
		return Content{}, diags
	}
	return d.content, diags
}

// decoder is the state of one call.
type decoder struct {
	namespace string
	report    *reporter
	env       *env
	files     []file // those whose syntax is right
	content   Content
	jobs      int                      // job blocks so far, the wrong ones too
	seen      map[fsm.JobKey]hcl.Range // headers of the jobs so far
	pools     map[string]hcl.Range     // headers of the pools so far
}

// file is a source and its syntax.
type file struct {
	src  Source
	body *hclsyntax.Body
}

// decode reads the sources one after the other, or, where some may declare what
// others refer to, first the syntax of all of them: that takes far more memory.
func (d *decoder) decode(sources []Source, inputs []Input) {
	shared := slices.ContainsFunc(sources, mayDeclare)
	if shared {
		for _, src := range sources {
			d.guard(src, func() { d.open(src) })
		}
	}
	d.variables(inputs)
	d.localValues()
	if shared {
		d.readAll()
	} else {
		for _, src := range sources {
			d.guard(src, func() { d.open(src) })
			d.readAll()
		}
	}
	d.checkJobs(sources)
	d.checkPools()
}

// mayDeclare reports whether a source may hold a declaration.
func mayDeclare(src Source) bool {
	return slices.ContainsFunc(declarations, func(word string) bool { return bytes.Contains(src.Bytes, []byte(word)) })
}

// readAll reads the jobs of the files that are open, and lets go of them.
func (d *decoder) readAll() {
	for _, file := range d.files {
		d.guard(file.src, func() { d.read(file) })
	}
	d.files = nil
}

func (d *decoder) checkTotal(sources []Source, inputs []Input) bool {
	total := 0
	for _, src := range sources {
		total += len(src.Bytes)
	}
	for _, input := range inputs {
		total += len(input.Source.Bytes)
	}
	switch {
	case len(sources) == 0:
		d.refuseAll("No jobs", "No job file is given.")
	case len(sources) > MaxFiles, len(inputs) > MaxFiles:
		d.refuseAll("Too many files", fmt.Sprintf("There are %d files: use at most %d in one call.", max(len(sources), len(inputs)), MaxFiles))
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

// declarations are the blocks of a file that are no jobs.
var declarations = []string{"variable", "locals"}

var fileSchema = &hcl.BodySchema{
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "job", LabelNames: []string{"name"}},
		{Type: "pool", LabelNames: []string{"name"}},
		{Type: "variable", LabelNames: []string{"name"}}, {Type: "locals"},
	},
}

// guard does one step about one source. A panic below it is a fault in the HCL
// library; it must not end a server that was sent the text.
func (d *decoder) guard(src Source, step func()) {
	defer func() {
		if fault := recover(); fault != nil {
			d.report.errorf(fileStart(src), unreadable, "Reading this file failed inside the HCL library: %v.", fault)
		}
	}()
	step()
}

const unreadable = "Unreadable file"

// open reads the syntax of one source.
func (d *decoder) open(src Source) {
	parsed, diags := parse(src)
	d.report.add(diags...)
	if diags.HasErrors() {
		return
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		d.report.errorf(fileStart(src), unreadable, "Job files are written in HCL's native syntax.")
		return
	}
	d.files = append(d.files, file{src, body})
}

// read reads the jobs of one source.
func (d *decoder) read(f file) {
	start := fileStart(f.src)
	top := openBody(d.env, d.env.root, f.src.Bytes, "", fileSchema, f.body, start)
	if len(f.body.Blocks) == 0 && top.ok() {
		d.reportNoJobs(start, "in this file")
	}
	for _, block := range top.blocks {
		if slices.Contains(declarations, block.Type) {
			continue
		}
		if block.Type == "pool" {
			d.pool(top, block)
			continue
		}
		if d.jobs++; d.jobs > MaxJobs {
			d.report.errorf(block.DefRange, "Too many jobs", "Use at most %d jobs in one call.", MaxJobs)
			return
		}
		d.job(top, block)
	}
}

// checkJobs reports files that hold variables and the like, and no job.
func (d *decoder) checkJobs(sources []Source) {
	if d.jobs+len(d.pools) == 0 && len(d.report.diags) == 0 {
		d.reportNoJobs(fileStart(sources[0]), "in the files")
	}
}

func (d *decoder) reportNoJobs(at hcl.Range, where string) {
	d.report.errorf(at, "No jobs", "There is no job %s, so there is nothing to apply. "+
		`A job is a block that begins with: job "name" {`, where)
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
	d.content.Jobs = append(d.content.Jobs, j.spec)
	d.notePools(j)
}

// fileStart is where a problem of a whole file stands.
func fileStart(src Source) hcl.Range {
	return hcl.Range{Filename: src.Name, Start: hcl.InitialPos, End: hcl.InitialPos}
}

// place spells where something begins.
func place(r hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d", r.Filename, r.Start.Line, r.Start.Column)
}
