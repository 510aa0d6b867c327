//go:build e2e && !linux

package e2e

import "errors"

func namespaces() error { return errors.New("only Linux has them") }
