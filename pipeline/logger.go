package pipeline

import (
	"github.com/ThreeDotsLabs/watermill"
	"github.com/sirupsen/logrus"
)

// NewLogger lets watermill log to logrus. What watermill calls info is of no use
// to a user (every start and stop of a handler), so it becomes debug.
func NewLogger(l *logrus.Entry) watermill.LoggerAdapter { return watermillLogger{l} }

type watermillLogger struct{ entry *logrus.Entry }

func (l watermillLogger) with(fields watermill.LogFields) *logrus.Entry {
	return l.entry.WithFields(logrus.Fields(fields))
}

func (l watermillLogger) Error(msg string, err error, fields watermill.LogFields) {
	l.with(fields).WithError(err).Error(msg)
}
func (l watermillLogger) Info(msg string, fields watermill.LogFields)  { l.with(fields).Debug(msg) }
func (l watermillLogger) Debug(msg string, fields watermill.LogFields) { l.with(fields).Trace(msg) }
func (l watermillLogger) Trace(msg string, fields watermill.LogFields) { l.with(fields).Trace(msg) }

func (l watermillLogger) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return watermillLogger{l.with(fields)}
}
