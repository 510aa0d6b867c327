package app_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Whatever a test started, hone's own shutdown must have ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
