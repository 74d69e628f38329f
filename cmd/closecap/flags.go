package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/analyze/suggest"
	"github.com/closecap/closecap/capture/hint"
)

// wants are the values that flags take, by their types.
var wants = map[string]string{
	"bool": "true or false", "duration": "a time, as 30s or 1m30s", "float64": "a number", "int": "a number",
	"intSlice": "numbers, with commas between", "uint16": "a number up to 65535", "uint64": "a number",
}

// flagError says in closecap's own way what is wrong with a flag: which one an unknown one was meant to be, or what its
// value has to be.
func flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help"
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &value):
		cause := errors.Unwrap(value)
		if want := wants[value.GetFlag().Value.Type()]; want != "" {
			cause = errors.New("want " + want)
		}
		return fmt.Errorf("--%s %s: %w", value.GetFlag().Name, report.ShellQuote(value.GetValue()), cause)
	case errors.As(err, &missing):
		return hint.With(fmt.Errorf("--%s: want a value", missing.GetFlag().Name), help+" says which")
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return err
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := suggest.Nearest(unknown.GetSpecifiedName(), known); near != "" {
		return fmt.Errorf("%w: did you mean --%s?", err, near)
	}
	return hint.With(err, help+" lists them")
}
