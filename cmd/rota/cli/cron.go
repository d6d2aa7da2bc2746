package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rota-scheduler/rota/cmd/rota/cli/render"
	"github.com/rota-scheduler/rota/scheduling/cron"
)

// maxInstants bounds what one command prints.
const maxInstants = 100_000

func (a *app) cronCommand() *cobra.Command {
	var zone, after string
	count := 10
	cmd := &cobra.Command{
		Use:   "cron EXPR",
		Short: "Print the next instants of a cron expression",
		Long: `Prints when a cron expression is due, one instant a line, in the local time of
the zone. The scheduler uses the same code.`,
		Example: `  rota cron '*/15 9-17 * * MON-FRI' --tz Europe/Berlin -n 5
  rota cron '30 2 * * *' --tz America/New_York --after 2026-03-06T00:00:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if count < 1 || count > maxInstants {
				return usagef(cmd, "-n %d is outside 1 to %d", count, maxInstants)
			}
			from, err := parseAfter(after, a.now())
			if err != nil {
				return usage(cmd, err)
			}
			schedule, location, err := compileCron(args[0], zone)
			if err != nil {
				return usage(cmd, err)
			}
			instants, err := nextInstants(schedule, location, from, count)
			if err != nil {
				return err
			}
			return a.show(cmd, instants, func(w io.Writer, _ render.Screen) error {
				for _, t := range instants {
					if _, err := fmt.Fprintln(w, t.Format(time.RFC3339)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&zone, "tz", "", "time zone, as an IANA name such as Asia/Shanghai (default UTC)")
	cmd.Flags().StringVar(&after, "after", "", "print instants after this one, as RFC 3339 (default now)")
	cmd.Flags().IntVarP(&count, "count", "n", count, "how many")
	return cmd
}

func parseAfter(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return now, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("--after %q: want RFC 3339, such as 2026-03-01T02:00:00Z", text)
	}
	return t, nil
}

func compileCron(expr, zone string) (*cron.Schedule, *time.Location, error) {
	location, err := cron.LoadZone(zone)
	if err != nil {
		return nil, nil, fmt.Errorf("--tz: %w", err)
	}
	schedule, err := cron.Compile(cron.Spec{Cron: expr, Timezone: zone})
	var syntax *cron.SyntaxError
	if errors.As(err, &syntax) {
		err = syntax // without the job file's words around it
	}
	return schedule, location, err
}

// nextInstants returns up to count instants, fewer if there are no more.
func nextInstants(schedule *cron.Schedule, location *time.Location, after time.Time, count int) ([]time.Time, error) {
	instants := make([]time.Time, 0, min(count, 64))
	for len(instants) < count {
		next, ok, err := schedule.Next(after)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		instants, after = append(instants, next.In(location)), next
	}
	return instants, nil
}
