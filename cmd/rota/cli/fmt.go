package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/jobfile"
	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/scheduling/jobspec"
)

func (a *app) fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt FILE...",
		Short: "Lay out job files in the canonical form",
		Long: `Rewrites job files in the canonical form and prints the names of those that
changed. A folder stands for the *.hcl files in it; - reads standard input and
writes to standard output. If one file has a syntax error, none is rewritten.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, err := jobfile.Read(args, cmd.InOrStdin())
			if err != nil {
				return err
			}
			formatted, err := formatAll(sources, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if check {
				return checkFormat(cmd.OutOrStdout(), sources, formatted)
			}
			return rewrite(cmd.OutOrStdout(), sources, formatted)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "rewrite nothing; exit with 1 if a file would change")
	return cmd
}

// formatAll formats every source, or none.
func formatAll(sources []jobspec.Source, stderr io.Writer) ([][]byte, error) {
	formatted := make([][]byte, len(sources))
	bad := 0
	for i, src := range sources {
		text, diags := jobspec.Format(src)
		formatted[i] = text
		if len(diags) == 0 {
			continue
		}
		screen := render.ScreenOf(stderr)
		if err := jobspec.Write(stderr, diags, sources[i:i+1], uint(screen.Width), screen.Color); err != nil {
			return nil, err
		}
		if diags.HasErrors() {
			bad++
		}
	}
	if bad > 0 {
		return nil, jobfile.Bad(fmt.Errorf("%s cannot be read; nothing was changed", jobfile.Count(bad, "file")))
	}
	return formatted, nil
}

func checkFormat(out io.Writer, sources []jobspec.Source, formatted [][]byte) error {
	changed := 0
	for i, src := range sources {
		if bytes.Equal(src.Bytes, formatted[i]) {
			continue
		}
		changed++
		if _, err := fmt.Fprintln(out, src.Name); err != nil {
			return err
		}
	}
	if changed > 0 {
		return fmt.Errorf("%w: %s would change; \"rota fmt\" without --check rewrites them", errWouldChange, jobfile.Count(changed, "file"))
	}
	return nil
}

func rewrite(out io.Writer, sources []jobspec.Source, formatted [][]byte) error {
	for i, src := range sources {
		var err error
		switch {
		case src.Name == jobspec.StdinName:
			_, err = out.Write(formatted[i])
		case !bytes.Equal(src.Bytes, formatted[i]):
			if err = replaceFile(src.Name, formatted[i]); err == nil {
				_, err = fmt.Fprintln(out, src.Name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// replaceFile puts new text in place of a file's at once: a crash leaves the old
// file or the new one. A symbolic link stays one.
func replaceFile(name string, text []byte) (err error) {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(target), ".rota-fmt-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), target)
}
