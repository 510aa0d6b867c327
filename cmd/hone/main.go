// Command hone makes Label Studio learn while people label.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		// A second Ctrl-C ends hone at once; its log makes that safe.
		stop()
	}()
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	var silent *silentError
	if !errors.As(err, &silent) {
		fmt.Fprintln(os.Stderr, "hone:", err)
	}
	os.Exit(1)
}

// silentError ends the process with status 1 when everything was already said.
type silentError struct{ error }
