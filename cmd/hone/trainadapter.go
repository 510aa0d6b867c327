package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/trainprocess"
)

const (
	trainAdapter = "train-adapter"
	encoderFlag  = "encoder"
)

// newTrainAdapter returns the command by which "hone serve" trains in a process of its own. It is not
// for people.
func newTrainAdapter() *cobra.Command {
	var encoder string
	cmd := &cobra.Command{
		Use:   trainAdapter,
		Short: "Train an adapter on the labelled texts on standard input, for hone serve",
		Long: `Train an adapter of a transformer on labelled texts. "hone serve" starts this
command in a process of its own; it is not for people. It reads one JSON object from
standard input, writes one with the adapter, in base64, or with the error to standard
output, and ends when its input does.`,
		Example: `  (echo '{"texts":[{"Text":"my card is lost","Class":0},{"Text":"the app crashes","Class":1}]}'; sleep 60) | hone train-adapter`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			trainer, err := encoders.NewTrainer(encoder, encoders.Options{})
			if err != nil {
				return err
			}
			return trainprocess.Serve(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), trainer)
		},
	}
	cmd.Flags().StringVar(&encoder, encoderFlag, encoders.MiniLM, "the encoder whose transformer is trained: "+encoders.MiniLM+" or "+encoders.BERT+"DIR")
	return cmd
}

// trainCommand is this program with that command for an encoder, nil where it does not know its own file.
// On Linux it is the program that runs, whatever has replaced its file meanwhile.
func trainCommand(encoder string) []string {
	const self = "/proc/self/exe"
	if _, err := os.Stat(self); err == nil {
		return []string{self, trainAdapter, "--" + encoderFlag, encoder}
	}
	path, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{path, trainAdapter, "--" + encoderFlag, encoder}
}
