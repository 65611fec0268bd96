package main

import "fmt"

func Example() {
	if err := run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// good day, alice
	// a client without a certificate is turned away
	// a client that expects another server is turned away
}
