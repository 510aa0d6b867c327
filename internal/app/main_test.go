package app_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/hone-ml/hone/encode/encoders"
	"github.com/hone-ml/hone/encode/trainprocess"
)

// trainsFor is the environment variable by which this program is the process that trains adapters, of the
// encoder that it names.
const trainsFor = "TRAINS_FOR_A_TEST"

// Whatever a test started, hone's own shutdown must have ended.
func TestMain(m *testing.M) {
	encoder := os.Getenv(trainsFor)
	if encoder == "" {
		goleak.VerifyTestMain(m)
	}
	trainer, err := encoders.NewTrainer(encoder, encoders.Options{})
	if err == nil {
		err = trainprocess.Serve(context.Background(), os.Stdin, os.Stdout, trainer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
