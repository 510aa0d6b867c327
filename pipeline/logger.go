package pipeline

import (
	"github.com/ThreeDotsLabs/watermill"
	"github.com/sirupsen/logrus"
)

// NewLogger lets watermill log to logrus. What watermill calls info is of no use
// to a user (every start and stop of a handler), so it becomes debug.
func NewLogger(l *logrus.Entry) watermill.LoggerAdapter { return logger{l} }

type logger struct{ entry *logrus.Entry }

func (l logger) with(fields watermill.LogFields) *logrus.Entry {
	return l.entry.WithFields(logrus.Fields(fields))
}

func (l logger) Error(msg string, err error, fields watermill.LogFields) {
	l.with(fields).WithError(err).Error(msg)
}
func (l logger) Info(msg string, fields watermill.LogFields)  { l.with(fields).Debug(msg) }
func (l logger) Debug(msg string, fields watermill.LogFields) { l.with(fields).Trace(msg) }
func (l logger) Trace(msg string, fields watermill.LogFields) { l.with(fields).Trace(msg) }

func (l logger) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return logger{l.with(fields)}
}
