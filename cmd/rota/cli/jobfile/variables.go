package jobfile

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/scheduling/jobspec"
)

// envPrefix begins the names of environment variables that are values of
// variables.
const envPrefix = "ROTA_VAR_"

// Variables are the values that the user gives to the files' variables.
type Variables struct {
	values []string // NAME=VALUE
	files  []string
}

// AddFlags adds --var and --var-file.
func (v *Variables) AddFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&v.values, "var", nil, "value of a variable, as NAME=VALUE; may be repeated")
	flags.StringArrayVar(&v.files, "var-file", nil, "file with values of variables, one NAME = VALUE a line; may be repeated")
}

// inputs returns the values in the order in which later ones win: those of the
// environment, of the files, of the flags. Its errors are ErrBad.
func (v *Variables) inputs(environment []string) ([]jobspec.Input, error) {
	var inputs []jobspec.Input
	for _, entry := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(entry, "=")
		if variable, ours := strings.CutPrefix(name, envPrefix); ours && variable != "" {
			inputs = append(inputs, jobspec.Input{Source: jobspec.Source{Name: name, Bytes: []byte(value)}, Variable: variable, Optional: true})
		}
	}
	for _, path := range v.files {
		text, err := readFile(path)
		if err != nil {
			return nil, Bad(err)
		}
		inputs = append(inputs, jobspec.Input{Source: jobspec.Source{Name: path, Bytes: text}})
	}
	for _, entry := range v.values {
		name, value, found := strings.Cut(entry, "=")
		if !found || name == "" {
			return nil, Bad(fmt.Errorf("--var %q: want NAME=VALUE, such as --var bucket=reports", entry))
		}
		inputs = append(inputs, jobspec.Input{Source: jobspec.Source{Name: "--var " + name, Bytes: []byte(value)}, Variable: name})
	}
	return inputs, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("file of variables: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	text, err := io.ReadAll(io.LimitReader(f, jobspec.MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("file of variables %s: %w", path, err)
	}
	if len(text) > jobspec.MaxFileBytes {
		return nil, fmt.Errorf("file of variables %s is too large: use at most %d bytes", path, jobspec.MaxFileBytes)
	}
	return text, nil
}
