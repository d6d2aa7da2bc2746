package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/dev"
	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/transport/api"
)

// Exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	// exitChanges: a plan would change something.
	exitChanges = 3
)

// Errors of the commands.
var (
	// errRunFailed: the run that was waited for did not succeed.
	errRunFailed = errors.New("the run did not succeed")
	// errWouldChange: fmt --check found files that are not formatted.
	errWouldChange = errors.New("not formatted")
)

// usageError is a mistake in the arguments.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string {
	return fmt.Sprintf("%s Run \"%s --help\" for the accepted form", sentence(e.err.Error()), e.command)
}

func (e *usageError) Unwrap() error { return e.err }

func usage(cmd *cobra.Command, err error) error {
	return &usageError{command: cmd.CommandPath(), err: err}
}

func usagef(cmd *cobra.Command, format string, args ...any) error {
	return usage(cmd, fmt.Errorf(format, args...))
}

// exitCode is the one table of errors and exit codes. The usage errors are
// those of commands from other packages, whose errors may bring their own code.
func exitCode(err error, usageErrors []error) int {
	var bad *usageError
	var own interface{ ExitStatus() int }
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return own.ExitStatus()
	case errors.As(err, &bad), errors.Is(err, jobfile.ErrBad), errors.Is(err, dev.ErrUsage):
		return exitUsage
	}
	for _, other := range usageErrors {
		if errors.Is(err, other) {
			return exitUsage
		}
	}
	switch api.ErrorCode(err) {
	case api.CodeInvalid, api.CodeBadRequest, api.CodeTooLarge:
		return exitUsage
	}
	return exitFailed
}

// report prints an error: what happened, then what to do.
func report(w io.Writer, err error) {
	if errors.As(err, new(errWouldApply)) {
		return // the plan says it
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "Interrupted.")
		return
	}
	var status *api.StatusError
	if errors.As(err, &status) && len(status.Diagnostics) > 0 {
		for _, d := range status.Diagnostics {
			fmt.Fprintln(w, "Error: "+diagnosticLine(d)) // the message is the first of them
		}
		return
	}
	fmt.Fprintln(w, "Error: "+render.Clean(sentence(err.Error())))
}

func diagnosticLine(d api.Diagnostic) string {
	text := sentence(d.Summary)
	if d.Detail != "" {
		text += " " + sentence(d.Detail)
	}
	return render.Clean(fmt.Sprintf("%s:%d,%d: %s", d.File, d.Line, d.Column, text))
}

// sentence ends text with a full stop unless it has an end.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasSuffix(text, ".") || strings.HasSuffix(text, "?") || strings.HasSuffix(text, "!") {
		return text
	}
	return text + "."
}

// markUsageErrors, once the tree is whole, makes every complaint about arguments a usageError, and lets
// no command take arguments silently.
func markUsageErrors(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage(cmd, argumentError(cmd, args, err))
		}
		return nil
	}
	if cmd.HasSubCommands() && !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range cmd.Commands() {
		markUsageErrors(sub)
	}
}

// checkHelp makes help refuse what is no command.
func checkHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		return // cobra has none to check
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		found, rest, err := root.Find(args)
		if err == nil && len(rest) > 0 {
			err = unknownCommand(found, rest[0])
		}
		return err
	}
}

// argumentError says what a command takes, in place of cobra's count.
func argumentError(cmd *cobra.Command, args []string, err error) error {
	switch {
	case cmd.Name() == "help":
		return err // it is about the command that was asked for
	case cmd.HasSubCommands() && len(args) > 0:
		return unknownCommand(cmd, args[0])
	case !strings.Contains(cmd.Use, " ") && len(args) > 0:
		return fmt.Errorf("%q takes no arguments, found %q", cmd.CommandPath(), args[0])
	case cmd.HasParent():
		return fmt.Errorf("want \"%s %s\", found %d arguments", cmd.Parent().CommandPath(), cmd.Use, len(args))
	default:
		return err
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	text := fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(text)
}
