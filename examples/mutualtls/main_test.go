package main

import "fmt"

func Example() {
	if err := run(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// good day, alice
	// a client without a certificate is refused
	// a client that expects another server is refused
}
