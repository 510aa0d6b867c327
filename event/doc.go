// Package event defines what flows through hone: ids, the events of the log, and the values that
// one package hands to the next. It knows neither Label Studio's wire format nor the storage.
package event
