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
	"github.com/hone-ml/hone/settings"
)

// descriptionsKey is the setting that holds what labels mean.
const descriptionsKey = "descriptions"

type describe struct {
	*cli
	file        string
	edit, clear bool
}

// described is what `hone describe --json` prints.
type described struct {
	Project event.ProjectID `json:"project"`
	// Applied is false when a change is in hone's log and not made yet.
	Applied  bool               `json:"applied"`
	Controls []describedControl `json:"controls"`
}

type describedControl struct {
	Control string           `json:"control"`
	Labels  []describedLabel `json:"labels"`
}

type describedLabel struct {
	Label string   `json:"label"`
	Lines []string `json:"lines"`
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
those of before. The model is made anew from its labels, as for any setting.`,
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
	p, err := cl.Project(ctx, id)
	if err != nil {
		return err
	}
	lines, err := descriptionsOf(p.Settings)
	if err != nil {
		return err
	}
	switch {
	case d.file != "":
		lines, err = d.read()
	case d.edit:
		lines, err = d.editLines(ctx, p, lines)
	case d.clear:
		lines = settings.Descriptions{}
	default:
		return d.print(p, lines, true)
	}
	if err != nil {
		return err
	}
	change := api.Change{Key: descriptionsKey}
	if text := lines.String(); text != "" {
		change.Value = &text
	}
	out, err := cl.Configure(ctx, id, []api.Change{change})
	if err != nil {
		return err
	}
	if lines, err = descriptionsOf(out.Settings); err != nil {
		return err
	}
	return d.print(p, lines, out.Applied)
}

// descriptionsOf returns the descriptions among settings.
func descriptionsOf(all []api.Setting) (settings.Descriptions, error) {
	for _, s := range all {
		if s.Key == descriptionsKey && s.Value != "" {
			return settings.ParseDescriptions([]byte(s.Value))
		}
	}
	return settings.Descriptions{}, nil
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

// editLines has a person edit the lines and returns them. On an error the file stays, so that
// nothing is lost that was typed.
func (d *describe) editLines(ctx context.Context, p api.Project, lines settings.Descriptions) (settings.Descriptions, error) {
	f, err := os.CreateTemp("", "hone-describe-*.json")
	if err != nil {
		return lines, err
	}
	_, err = f.Write(template(p, lines))
	if err = errors.Join(err, f.Close()); err != nil {
		return lines, err
	}
	editor := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), "vi"))
	if len(editor) == 0 {
		return lines, errors.New("VISUAL and EDITOR name no editor; set one, or use --file")
	}
	run := exec.CommandContext(ctx, editor[0], append(editor[1:], f.Name())...) //nolint:gosec // the user's own editor
	run.Stdin, run.Stdout, run.Stderr = os.Stdin, os.Stderr, os.Stderr
	if err := run.Run(); err != nil {
		return lines, fmt.Errorf("%s: %w; set EDITOR, or use --file %s", editor[0], err, f.Name())
	}
	edited, err := readLines(f.Name())
	if err != nil {
		return lines, fmt.Errorf("%w; mend it there and use --file", err)
	}
	return edited, os.Remove(f.Name())
}

// template returns a file with the lines of all labels, with two empty ones where there are none.
func template(p api.Project, lines settings.Descriptions) []byte {
	var b bytes.Buffer
	b.WriteString("{")
	several := len(p.Heads) > 1
	comma := ""
	for _, h := range p.Heads {
		if len(h.Labels) == 0 {
			continue
		}
		indent := "\n  "
		if several {
			fmt.Fprintf(&b, "%s\n  %s: {", comma, quoted(h.Control))
			comma, indent = "", "\n    "
		}
		for _, l := range h.Labels {
			of := lines.Lines(h.Control, l)
			if len(of) == 0 {
				of = []string{"", ""}
			}
			fmt.Fprintf(&b, "%s%s%s: [", comma, indent, quoted(l))
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

func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a text has always a form in JSON
	return strings.TrimSpace(b.String())
}

func (d *describe) print(p api.Project, lines settings.Descriptions, applied bool) error {
	out := described{Project: p.ID, Applied: applied, Controls: []describedControl{}}
	n, labels := 0, 0
	for _, h := range p.Heads {
		if len(h.Labels) == 0 {
			continue
		}
		of := describedControl{Control: h.Control}
		for _, l := range h.Labels {
			of.Labels = append(of.Labels, describedLabel{l, slices.Concat([]string{}, lines.Lines(h.Control, l))})
			labels++
			if len(lines.Lines(h.Control, l)) > 0 {
				n++
			}
		}
		out.Controls = append(out.Controls, of)
	}
	if d.json {
		return d.printJSON(out)
	}
	if !applied {
		d.printf("The change is in hone's log and is made once what came before it is learned. Then:\n")
	}
	d.printf("Project %d: %d of %d labels are described\n", p.ID, n, labels)
	for _, c := range out.Controls {
		d.printf("  %s\n", c.Control)
		for _, l := range c.Labels {
			d.printf("    %s\n", l.Label)
			for _, line := range l.Lines {
				d.printf("        %s\n", line)
			}
		}
	}
	if n < labels {
		d.printf("`hone describe --project %d --edit` describes them: two lines each, in words that texts with the label might have.\n", p.ID)
	}
	return nil
}
