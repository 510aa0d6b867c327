package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/sirupsen/logrus"
)

// recover turns a panic into a 500. The log gets the stack, never the body: a
// project row holds passwords.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		s.metrics.panics.Inc()
		s.log.WithFields(logrus.Fields{"path": c.FullPath(), "stack": string(debug.Stack())}).
			Errorf("a handler failed unexpectedly: %s", shortenTo(fmt.Sprint(p), 200))
		if !c.Writer.Written() {
			failInBody(c, http.StatusInternalServerError, "hone failed unexpectedly; its log says where")
		}
		c.Abort()
	}()
	c.Next()
}

// logRequests logs at debug level: no query, no header, no body.
func (s *Server) logRequests(c *gin.Context) {
	if !s.log.Logger.IsLevelEnabled(logrus.DebugLevel) {
		c.Next()
		return
	}
	start := time.Now()
	c.Next()
	s.log.WithFields(logrus.Fields{
		"method": c.Request.Method,
		"path":   shortenTo(c.Request.URL.Path, 200),
		"status": c.Writer.Status(),
		"bytes":  c.Request.ContentLength,
		"took":   time.Since(start).String(),
	}).Debug("request")
}
