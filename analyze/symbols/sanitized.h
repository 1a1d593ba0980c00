/* Whether this is a build for finding faults: then what a child process says of its own is to be seen. */
#ifndef MALLOSCOPE_SYMBOLS_SANITIZED_H
#define MALLOSCOPE_SYMBOLS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#endif
