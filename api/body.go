package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"
)

func notJSON(err error) error {
	return fmt.Errorf("the body is not JSON: %w", err)
}

// largeBody keeps an error that says that the body is too large.
func largeBody(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return large
	}
	return nil
}

// writeBodyError answers to a body that cannot be read: tooLarge where that is why, else otherwise.
func writeBodyError(c *gin.Context, err error, tooLarge, otherwise string) {
	if largeBody(err) != nil {
		c.JSON(http.StatusRequestEntityTooLarge, Error{tooLarge})
		return
	}
	c.JSON(http.StatusBadRequest, Error{otherwise})
}

// writeChanged answers to a change: 202 while it waits in the log.
func writeChanged(c *gin.Context, applied bool, out any) {
	status := http.StatusOK
	if !applied {
		status = http.StatusAccepted
	}
	c.JSON(status, out)
}
