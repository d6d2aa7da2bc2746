package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// lastLineWindow is how much of the end of an output is searched for its last
// line; a longer line is cut to what is kept anyway.
const lastLineWindow = 2 * fsm.MaxTail

// harvestEnded completes the reports of attempts that have ended since. It waits
// for the log to show their runs: an agent that has just started may have less.
func (e *Executor) harvestEnded() {
	v := e.cfg.Store.Read()
	caughtUp := e.cfg.Lease.CaughtUp(v.Index())
	e.mu.Lock()
	todo := map[*local]fsm.Report{}
	for ref, l := range e.locals {
		if l.unharvested && (caughtUp || v.Run(ref.RunID) != nil) {
			todo[l] = *l.report
		}
	}
	e.mu.Unlock()
	for l, r := range todo {
		e.harvest(&r) // reads files: not under the lock
		e.mu.Lock()
		l.report, l.unharvested = &r, false
		e.mu.Unlock()
	}
}

// harvest puts into the report of an attempt that succeeded what later tasks read
// of its output. An output that is not what it must be makes the attempt a
// failure: it may be retried, and nothing runs on half a list.
func (e *Executor) harvest(r *fsm.Report) {
	if r.Kind != fsm.ReportEnded || r.Outcome != fsm.AttemptSucceeded {
		return
	}
	reads := e.readsOf(r.RunID)
	_, line := slices.BinarySearch(reads.Lines, r.Task)
	_, list := slices.BinarySearch(reads.Lists, r.Task)
	if !line && !list {
		return
	}
	logs := proc.OpenLogs(e.outputDir(r.AttemptRef))
	var err error
	if line {
		r.Output, err = lastLine(logs)
	}
	if err == nil && list {
		r.Items, err = readItems(logs)
		r.Listed = err == nil
	}
	if err != nil {
		r.Outcome, r.Error = fsm.AttemptFailed, err.Error()
	}
}

func (e *Executor) readsOf(runID string) fsm.Reads {
	v := e.cfg.Store.Read()
	if run := v.Run(runID); run != nil {
		if version := v.Version(run.JobKey(), run.Version); version != nil {
			return version.Reads
		}
	}
	return fsm.Reads{}
}

// lastLine returns the last line of the output that is not empty, at most
// fsm.MaxTail bytes of its beginning.
func lastLine(logs proc.Logs) (string, error) {
	end, err := logs.Tail(proc.Stdout, lastLineWindow)
	if err != nil {
		return "", fmt.Errorf("reading its output: %w", err)
	}
	text := strings.TrimRight(string(end.Data), "\r\n\t ")
	line := text[strings.LastIndexByte(text, '\n')+1:]
	return strings.ToValidUTF8(line[:min(len(line), fsm.MaxTail)], ""), nil
}

// readItems reads the list that a task wrote: one JSON array, and nothing else.
func readItems(logs proc.Logs) ([]string, error) {
	first, end, err := logs.Size(proc.Stdout)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading its output: %w", err)
	case first > 0 || end > fsm.MaxItemBytes:
		return nil, fmt.Errorf("its output is no list of items: it wrote %d bytes, of which %d are kept; at most %d are allowed", end, end-first, fsm.MaxItemBytes)
	}
	all, err := logs.Tail(proc.Stdout, fsm.MaxItemBytes)
	if err != nil {
		return nil, fmt.Errorf("reading its output: %w", err)
	}
	return parseItems(all.Data)
}

// parseItems takes strings as they are and everything else as its JSON.
func parseItems(b []byte) ([]string, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("its output is no list of items: want one JSON array on the standard output and nothing else: %w", err)
	}
	if list == nil {
		return nil, errors.New("its output is no list of items: want one JSON array on the standard output, found null")
	}
	if len(list) > fsm.MaxItems {
		return nil, fmt.Errorf("its output is a list of %d items, at most %d are allowed", len(list), fsm.MaxItems)
	}
	items := make([]string, len(list))
	for i, raw := range list {
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &items[i]); err != nil {
				return nil, fmt.Errorf("item %d of its output: %w", i, err)
			}
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			return nil, fmt.Errorf("item %d of its output: %w", i, err)
		}
		items[i] = compact.String()
	}
	return items, nil
}
