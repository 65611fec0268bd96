// Package erpcv1 holds the message that makes a method of a service a push.
package erpcv1
