package main

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hone-ml/hone/internal/cut"
)

// projectFix says where the value of --project comes from.
const projectFix = "the number in the project's address in Label Studio"

// flagTakes says, by the type of a flag, what its value must be.
var flagTakes = map[string]string{
	"bool":        "true or false",
	"duration":    "a duration, such as 2s or 1m30s",
	"int":         "a whole number",
	"int64":       "a whole number",
	"float64":     "a number",
	"intSlice":    "whole numbers with commas between, such as 0,10,50",
	"stringSlice": "names with commas between, such as margin,random",
}

// flagError says in plain words what is wrong with a flag, and what it takes. It is the one
// place where errors of flags are worded, for all commands.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var lacking *pflag.ValueRequiredError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		takes, known := flagTakes[f.Value.Type()]
		if !known {
			takes = "another value"
		}
		if f.Name == "project" {
			takes = "a number from 1: " + projectFix
		}
		given := fmt.Sprintf("--%s %q", f.Name, cut.Runes(value.GetValue(), 80))
		if tooLarge(f, value.GetValue()) {
			return fmt.Errorf("%s is too large; it takes %s", given, takes)
		}
		return fmt.Errorf("%s cannot be read; it takes %s", given, takes)
	case errors.As(err, &lacking):
		f := lacking.GetFlag()
		takes, known := flagTakes[f.Value.Type()]
		switch {
		case f.Name == "project":
			takes = "a number: " + projectFix
		case !known:
			takes = "a value"
		}
		return fmt.Errorf("--%s is given without a value; it takes %s", f.Name, takes)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w; `%s --help` lists the flags", err, cmd.CommandPath())
	}
	return err
}

// tooLarge reports whether a flag that takes whole numbers was given one that no such number
// can hold.
func tooLarge(f *pflag.Flag, value string) bool {
	if !strings.HasPrefix(f.Value.Type(), "int") {
		return false
	}
	for s := range strings.SplitSeq(value, ",") {
		if n, ok := new(big.Int).SetString(strings.TrimSpace(s[:min(len(s), 200)]), 10); ok && !n.IsInt64() {
			return true
		}
	}
	return false
}
