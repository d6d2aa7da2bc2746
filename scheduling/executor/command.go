package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rota-scheduler/rota/scheduling/executor/proc"
)

// Command is a program that runs on this node and is no attempt of a job: what an
// exec notification runs.
type Command struct {
	// ID names it; a second one of the same ID is not started, but waited for.
	ID      string
	Argv    []string
	Env     []string
	User    string
	Timeout time.Duration
}

// commandPrefix tells the IDs of commands from those of attempts.
const commandPrefix = "command:"

// commandGrace is what lies between TERM and KILL.
const commandGrace = 2 * time.Second

// RunCommand runs a command and waits for its end, or for that of ctx. The process
// half ends it after its timeout, whatever becomes of this process. An error means
// that it did not exit with 0, or that nobody knows. Any goroutine may call it.
func (e *Executor) RunCommand(ctx context.Context, c Command) error {
	id := commandPrefix + c.ID
	env := inheritedEnvironment()
	for _, word := range c.Env {
		name, value, _ := strings.Cut(word, "=")
		env[name] = value
	}
	words := spelled(env)
	if err := errors.Join(checkWords("variable", words), checkWords("argument", c.Argv)); err != nil {
		return err
	}
	ended := make(chan proc.Result, 1)
	e.mu.Lock()
	if e.commands[id] != nil {
		e.mu.Unlock()
		return fmt.Errorf("command %s is waited for already", c.ID)
	}
	e.commands[id] = ended
	e.mu.Unlock()
	defer e.endCommand(id)
	err := e.cfg.Processes.Start(ctx, proc.StartRequest{
		ID: id, Argv: c.Argv, Env: words, User: c.User, Timeout: c.Timeout, Grace: commandGrace,
	})
	switch {
	case errors.Is(err, proc.ErrRepeated): // an earlier life of this agent has started it
		if err := e.findCommand(ctx, id, ended); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("could not be started: %w", err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r := <-ended:
		e.forgetCommand(ctx, id)
		return commandError(&r)
	}
}

// findCommand looks for the end of a command that was started before.
func (e *Executor) findCommand(ctx context.Context, id string, ended chan<- proc.Result) error {
	list, err := e.cfg.Processes.List(ctx)
	if err != nil {
		return fmt.Errorf("listing what the process half knows: %w", err)
	}
	for i := range list {
		if list[i].ID == id && list[i].Result != nil {
			select {
			case ended <- *list[i].Result:
			default: // it was told meanwhile
			}
		}
	}
	return nil
}

func (e *Executor) endCommand(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.commands, id)
}

// commandEnded takes the end of a command; it says whether it was one.
func (e *Executor) commandEnded(r proc.Result) bool {
	if !strings.HasPrefix(r.ID, commandPrefix) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if ended := e.commands[r.ID]; ended != nil {
		select {
		case ended <- r:
		default: // it was found meanwhile
		}
		return true
	}
	e.stale = append(e.stale, r.ID) // nobody waits any more
	return true
}

// forgetCommand drops a command that has ended, and those that nobody has waited
// for. Where that fails, the next one does it.
func (e *Executor) forgetCommand(ctx context.Context, id string) {
	e.mu.Lock()
	ids := append(e.stale, id)
	e.stale = nil
	e.mu.Unlock()
	if err := e.cfg.Processes.Forget(ctx, ids...); err != nil {
		e.mu.Lock()
		e.stale = append(e.stale, ids...)
		e.mu.Unlock()
	}
}

// commandError says why a command did not succeed; nil if it did.
func commandError(r *proc.Result) error {
	var what string
	switch {
	case r.Outcome == proc.Succeeded:
		return nil
	case r.Outcome == proc.StartFailed:
		what = "could not be started: " + r.Error
	case r.Outcome == proc.Timeout:
		what = "killed at its timeout"
	case r.Signal != "":
		what = "killed by " + r.Signal
	default:
		what = fmt.Sprintf("exit code %d", r.ExitCode)
	}
	if tail := endOf(r.Tail); tail != "" {
		what += ": " + tail
	}
	return errors.New(what)
}

// maxTailShown bounds the output that an error shows.
const maxTailShown = 200

// endOf returns the last line of an output.
func endOf(tail []byte) string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(tail), "?"))
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = text[i+1:]
	}
	if len(text) > maxTailShown {
		text = strings.ToValidUTF8(text[:maxTailShown], "") + "…"
	}
	return text
}

// spelled writes an environment as the kernel takes it, sorted.
func spelled(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}
