package main

import (
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newDeadLetter(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deadletter",
		Short: "List, replay or drop events that could not be handled",
		Example: `  hone deadletter list
  hone deadletter replay        # all of them
  hone deadletter drop 17`,
	}
	limit := 0
	list := c.withJSON(&cobra.Command{
		Use:     "list",
		Short:   "List the events that could not be handled, and why",
		Example: "  hone deadletter list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			ls, err := cl.DeadLetters(cmd.Context(), limit)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]any{"dead_letters": ls})
			}
			if len(ls) == 0 {
				c.printf("no dead letters\n")
				return nil
			}
			w := tabwriter.NewWriter(c.out(), 0, 4, 2, ' ', 0)
			_, _ = fmt.Fprintln(w, "ID\tTOPIC\tAT\tREASON")
			for _, l := range ls {
				_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", l.ID, l.Topic, l.At.Local().Format(time.DateTime), l.Reason)
			}
			return w.Flush()
		},
	})
	list.Flags().IntVar(&limit, "limit", 100, "how many at most")
	on := func(verb, short, done string) *cobra.Command {
		return &cobra.Command{
			Use:     verb + " [ID ...]",
			Short:   short,
			Example: "  hone deadletter " + verb + " 17 18",
			RunE: func(cmd *cobra.Command, args []string) error {
				ids := make([]uint64, len(args))
				for i, a := range args {
					id, err := strconv.ParseUint(a, 10, 64)
					if err != nil {
						return fmt.Errorf("%q is not an id: take it from `hone deadletter list`", a)
					}
					ids[i] = id
				}
				cl, err := c.client()
				if err != nil {
					return err
				}
				n, err := cl.OnDeadLetters(cmd.Context(), verb, ids)
				if err != nil {
					return err
				}
				c.printf("%d %s\n", n, done)
				if n < len(ids) {
					return fmt.Errorf("%d of the %d dead letters named are not there (see `hone deadletter list`)", len(ids)-n, len(ids))
				}
				return nil
			},
		}
	}
	cmd.AddCommand(list,
		on("replay", "Put dead letters back into their log (no ID: all)", "replayed"),
		on("drop", "Delete dead letters for good (no ID: all)", "dropped"))
	return cmd
}
