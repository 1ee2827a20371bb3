/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate for 127.0.0.1 that is its own authority, its key, and a key of nobody: for tests
 * only. */
#pragma once

#define PEM_CERT                                                             \
	"-----BEGIN CERTIFICATE-----\n"                                      \
	"MIIBzTCCAXKgAwIBAgIUNq7qmlCFFjZIXMy6vno70+ItbEEwCgYIKoZIzj0EAwIw\n" \
	"MjEVMBMGA1UECgwMc3lzdGVtOm5vZGVzMRkwFwYDVQQDDBBzeXN0ZW06bm9kZTp0\n" \
	"ZXN0MCAXDTI2MTEyNTEyMTcwMFoYDzIxMjUxMTAxMTIxNzAwWjAyMRUwEwYDVQQK\n" \
	"DAxzeXN0ZW06bm9kZXMxGTAXBgNVBAMMEHN5c3RlbTpub2RlOnRlc3QwWTATBgcq\n" \
	"hkjOPQIBBggqhkjOPQMBBwNCAARqJRb+gxn//SNGN9isob3r5+YRjrKBbl9/94MA\n" \
	"5cd7RaGa4Uu5N80k0kQrvjZcyNggb+TKiH2xdVVYTDLH5vgto2QwYjAdBgNVHQ4E\n" \
	"FgQUFQoAONtyxxwSxWHGeEcmlJJyGpcwHwYDVR0jBBgwFoAUFQoAONtyxxwSxWHG\n" \
	"eEcmlJJyGpcwDwYDVR0RBAgwBocEfwAAATAPBgNVHRMBAf8EBTADAQH/MAoGCCqG\n" \
	"SM49BAMCA0kAMEYCIQCwinOJySF/lu4rsivz/XXQscjTv00mELJI6Ef6o7IAAwIh\n" \
	"AJO9PTFoJeQM2wsk5Vr2X7Z0oObxtElKFP5Wm1U2Dd5L\n"                     \
	"-----END CERTIFICATE-----\n"

#define PEM_KEY                                                              \
	"-----BEGIN PRIVATE KEY-----\n"                                      \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcBk2BvbkrlNYnZn9\n" \
	"fvZxO3u43wR2JoT/t2Knz6zEgiWhRANCAARqJRb+gxn//SNGN9isob3r5+YRjrKB\n" \
	"bl9/94MA5cd7RaGa4Uu5N80k0kQrvjZcyNggb+TKiH2xdVVYTDLH5vgt\n"         \
	"-----END PRIVATE KEY-----\n"

#define PEM_OTHER_KEY                                                        \
	"-----BEGIN EC PRIVATE KEY-----\n"                                   \
	"MHcCAQEEIAnh7KSn07mSnYRzl4PH8bODWEcPRbOfwuXVpZW+gZ96oAoGCCqGSM49\n" \
	"AwEHoUQDQgAEV3AKFxeUu+TodBamvW77r5N8v+I+xj1GNcLJ5yvmOOo3/6bYyvVu\n" \
	"l3lz6X39PAtaC7s2/DYMBozDnYZXPD/0CA==\n"                             \
	"-----END EC PRIVATE KEY-----\n"
