package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/trainprocess"
)

const trainAdapter = "train-adapter"

// newTrainAdapter returns the command by which "hone serve" trains in a process of its own. It is not
// for people.
func newTrainAdapter() *cobra.Command {
	return &cobra.Command{
		Use:   trainAdapter,
		Short: "Train an adapter on the labelled texts on standard input, for hone serve",
		Long: `Train an adapter of the transformer on labelled texts. "hone serve" starts this
command in a process of its own; it is not for people. It reads one JSON object from
standard input, writes one with the adapter, in base64, or with the error to standard
output, and ends when its input does.`,
		Example: `  (echo '{"texts":[{"Text":"my card is lost","Class":0},{"Text":"the app crashes","Class":1}]}'; sleep 60) | hone train-adapter`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trainer, err := encoders.NewTrainer()
			if err != nil {
				return err
			}
			return trainprocess.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), trainer)
		},
	}
}

// trainCommand is this program with that command, nil where it does not know its own file. On Linux it
// is the program that runs, whatever has replaced its file meanwhile.
func trainCommand() []string {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return []string{self, trainAdapter}
	}
	path, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{path, trainAdapter}
}
