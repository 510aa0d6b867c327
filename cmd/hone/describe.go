package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/api"
	"github.com/hone-ml/hone/event"
	"github.com/hone-ml/hone/internal/statustext"
	"github.com/hone-ml/hone/settings"
)

type describe struct {
	*cli
	file        string
	edit, clear bool
}

func newDescribe(c *cli) *cobra.Command {
	d := &describe{cli: c}
	cmd := &cobra.Command{
		Use:   "describe",
		Short: "Show and write what the labels of a project mean",
		Long: `Show and write what the labels of a project mean: two lines a label, in words that
texts with the label might have. The model begins with them as it does with the labels'
names, so its first suggestions are better, and it soon needs fewer labels. What
annotators say later weighs more, so a line that says nothing costs little.

Without a flag it prints the lines there are. --edit opens them in $VISUAL or $EDITOR,
--file reads them, - from standard input: {"LABEL": ["a line", "another"]}, or
{"CONTROL": {"LABEL": ["a line"]}} where several controls have the label. They replace
those of before. The labels that annotators gave stay learned.`,
		Example: `  hone describe --project 3
  hone describe --project 3 --edit
  hone describe --project 3 --file labels.json
  echo '{"refund": ["I want my money back", "return, reimbursed"]}' | hone describe --file -
  hone describe --project 3 --clear
  hone describe --project 3 --json`,
		Args: cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&d.file, "file", "", "read the lines from a JSON file (- for standard input)")
	f.BoolVar(&d.edit, "edit", false, "edit the lines in $VISUAL or $EDITOR")
	f.BoolVar(&d.clear, "clear", false, "delete all lines")
	cmd.MarkFlagsMutuallyExclusive("file", "edit", "clear")
	c.onProject(cmd, d.execute)
	return c.withJSON(cmd)
}

func (d *describe) execute(ctx context.Context, cl *api.Client, id event.ProjectID) error {
	var lines settings.Descriptions
	var edited string // a file
	var err error
	switch {
	case d.file != "":
		lines, err = d.read()
	case d.edit:
		lines, edited, err = d.editLines(ctx, cl, id)
	case d.clear:
	default:
		out, err := cl.Descriptions(ctx, id)
		if err != nil {
			return err
		}
		return d.print(out)
	}
	if err != nil {
		return err
	}
	out, err := cl.Describe(ctx, id, json.RawMessage(cmp.Or(lines.String(), "{}")))
	switch {
	case err != nil && edited != "":
		return fmt.Errorf("%w; mend %s and use --file", err, edited)
	case err != nil:
		return err
	case edited != "":
		if err := os.Remove(edited); err != nil {
			return err
		}
	}
	return d.print(out)
}

// read returns the lines of the file that the user named.
func (d *describe) read() (settings.Descriptions, error) {
	if d.file == "-" {
		return settings.ReadDescriptions("standard input", d.cmd.InOrStdin())
	}
	return readLines(d.file)
}

// readLines returns the lines of a file.
func readLines(name string) (settings.Descriptions, error) {
	f, err := os.Open(name)
	if err != nil {
		return settings.Descriptions{}, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	return settings.ReadDescriptions(name, f)
}

// editLines has a person edit the lines, and returns them and the file. On an error the file
// stays, so that nothing is lost that was typed.
func (d *describe) editLines(ctx context.Context, cl *api.Client, id event.ProjectID) (lines settings.Descriptions, file string, err error) {
	have, err := cl.Descriptions(ctx, id)
	if err != nil {
		return lines, "", err
	}
	f, err := os.CreateTemp("", "hone-describe-*.json")
	if err != nil {
		return lines, "", err
	}
	_, err = f.Write(template(have.Controls))
	if err = errors.Join(err, f.Close()); err != nil {
		return lines, "", err
	}
	editor := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	if len(editor) == 0 {
		return lines, "", errors.New("VISUAL and EDITOR name no editor; set one, or use --file")
	}
	run := exec.CommandContext(ctx, editor[0], append(editor[1:], f.Name())...) //nolint:gosec // the user's own editor
	run.Stdin, run.Stdout, run.Stderr = os.Stdin, os.Stderr, os.Stderr
	if err := run.Run(); err != nil {
		return lines, "", fmt.Errorf("%s: %w; set EDITOR, or use --file %s", editor[0], err, f.Name())
	}
	if lines, err = readLines(f.Name()); err != nil {
		return lines, "", fmt.Errorf("%w; mend it there and use --file", err)
	}
	return lines, f.Name(), nil
}

// template returns a file with the lines of all labels, with two empty ones where there are none.
func template(controls []api.DescribedControl) []byte {
	controls = slices.DeleteFunc(slices.Clone(controls), func(c api.DescribedControl) bool { return !reads(c) })
	var b bytes.Buffer
	b.WriteString("{")
	several := len(controls) > 1
	comma := ""
	for _, c := range controls {
		indent := "\n  "
		if several {
			fmt.Fprintf(&b, "%s\n  %s: {", comma, quoted(c.Control))
			comma, indent = "", "\n    "
		}
		for _, l := range c.Labels {
			of := l.Lines
			if len(of) == 0 {
				of = []string{"", ""}
			}
			fmt.Fprintf(&b, "%s%s%s: [", comma, indent, quoted(l.Label))
			for i, line := range of {
				if i > 0 {
					b.WriteString(",")
				}
				b.WriteString(indent + "  " + quoted(line))
			}
			b.WriteString(indent + "]")
			comma = ","
		}
		if several {
			b.WriteString("\n  }")
			comma = ","
		}
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

// reads reports whether the lines of a control's labels are read.
func reads(c api.DescribedControl) bool { return c.Labels[0].Source != "" }

func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text has always a form in JSON
	return strings.TrimSpace(b.String())
}

func (d *describe) print(of api.Descriptions) error {
	if d.json {
		return d.printJSON(of)
	}
	if !of.Applied {
		d.printf("The change is in hone's log and is made once what came before it is learned. Until then:\n")
	}
	n, labels := 0, 0
	for _, c := range of.Controls {
		for _, l := range c.Labels {
			if l.Source != "" {
				labels++
			}
			if len(l.Lines) > 0 {
				n++
			}
		}
	}
	d.printf("Project %d: %d of %d labels are described\n", of.Project, n, labels)
	for _, c := range of.Controls {
		if !reads(c) {
			d.printf("  %s: its labels are learned from examples alone\n", statustext.Printable(c.Control))
			continue
		}
		d.printf("  %s\n", statustext.Printable(c.Control))
		for _, l := range c.Labels {
			d.printf("    %s\n", statustext.Printable(l.Label))
			for _, line := range l.Lines {
				d.printf("        %s\n", statustext.Printable(line))
			}
			if l.Hint != "" {
				d.printf("        hint: %s\n", statustext.Printable(l.Hint))
			}
		}
	}
	if len(of.Unused) > 0 {
		d.printf("  described, but no labels now: %s\n", statustext.Printable(strings.Join(of.Unused, ", ")))
	}
	if n < labels {
		d.printf("`hone describe --project %d --edit` describes them: two lines each, in words that texts with the label might have.\n", of.Project)
	}
	return nil
}
