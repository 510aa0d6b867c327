package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runs returns the error of a command line.
func runs(t *testing.T, args ...string) error {
	t.Helper()
	root := newRoot()
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	root.SetArgs(args)
	return root.ExecuteContext(t.Context())
}

// Whatever flag of whatever command gets a value that it cannot take, the error names the flag
// and what it takes, without Go's words.
func TestEveryFlagRefusesInPlainWords(t *testing.T) {
	tried := 0
	for _, c := range everyCommand(newRoot()) {
		words := strings.Fields(c.CommandPath())[1:]
		c.InheritedFlags() // adds them to Flags
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "string" {
				return // takes everything here
			}
			for _, value := range []string{"abc", "1.5.2", "99999999999999999999999", "\"x", strings.Repeat("9", 1000)} {
				if f.Value.Type() == "stringSlice" && value != "\"x" || f.Value.Type() == "float64" && value == "99999999999999999999999" {
					continue // which it takes
				}
				err := runs(t, append(words[:len(words):len(words)], "--"+f.Name+"="+value)...)
				require.Error(t, err, "%s --%s=%s", c.CommandPath(), f.Name, value)
				assert.Contains(t, err.Error(), "--"+f.Name, c.CommandPath())
				assert.Contains(t, err.Error(), "it takes ", c.CommandPath())
				assert.NotRegexp(t, `strconv|parsing|invalid (syntax|argument)|parse error|time:|another value`, err.Error())
				assert.Less(t, len(err.Error()), 300)
				tried++
			}
		})
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.NoOptDefVal != "" {
				return
			}
			err := runs(t, append(words[:len(words):len(words)], "--"+f.Name)...)
			require.Error(t, err, "%s --%s", c.CommandPath(), f.Name)
			assert.Contains(t, err.Error(), "--"+f.Name+" is given without a value; it takes ", c.CommandPath())
		})
	}
	assert.Greater(t, tried, 300)
}

func TestFlagErrorsNameTheFix(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"status --project abc", `--project "abc" cannot be read; it takes a number from 1: the number in the project's address in Label Studio`},
		{"status --project 99999999999999999999", `--project "99999999999999999999" is too large`},
		{"status --project", "--project is given without a value; it takes a number: the number in the project's address"},
		{"simulate --labels 0,x", `--labels "0,x" cannot be read; it takes whole numbers with commas between`},
		{"bench --for soon", `--for "soon" cannot be read; it takes a duration, such as 2s`},
		{"serve --debug=maybe", `--debug "maybe" cannot be read; it takes true or false`},
		{"status --porject 3", "unknown flag: --porject; `hone status --help` lists the flags"},
	} {
		assert.ErrorContains(t, runs(t, strings.Fields(c.args)...), c.want, c.args)
	}
}
