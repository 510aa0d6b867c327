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

// trainsFor is the argument before the name of an encoder by which this program is the process that trains
// its adapters.
const trainsFor = "trains-for-a-test"

// Whatever a test started, hone's own shutdown must have ended.
func TestMain(m *testing.M) {
	if len(os.Args) != 3 || os.Args[1] != trainsFor {
		goleak.VerifyTestMain(m)
	}
	trainer, err := encoders.NewTrainer(os.Args[2], encoders.Options{})
	if err == nil {
		err = trainprocess.Serve(context.Background(), os.Stdin, os.Stdout, trainer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
