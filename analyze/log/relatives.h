/* Whether a log lacks processes that it must have had: the first one, which its launcher names, and
 * those that the others are forks of, or whose program they have replaced. For a log of which no
 * launcher says that it has ended; a process that nobody comes from is not missed. */
#ifndef MALLOSCOPE_LOG_RELATIVES_H
#define MALLOSCOPE_LOG_RELATIVES_H

#include "analyze/log/log.h"

bool relatives_lack(const struct log *log);

#endif
