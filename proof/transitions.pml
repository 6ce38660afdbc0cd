/* Every change that an entry of the ledger may undergo.

   This is the one table. The model asserts it at each of its writes, and the checks of the code read it from
   this file (transitions.py). A row that no run of the model needs fails the test.

   An entry is seen from one recipient. `calls` is by how much the count of calls that may have gone out changes,
   `revision` by how much that of the result. */

mtype:state_name = {
  ABSENT,     /* no entry: never written, or forgotten                                                     */
  OPENED,     /* the id is the job's own; nothing is planned yet                                           */
  PLANNED,    /* a large job, cut into parts once and for all; each part has an entry of its own           */
  READY,      /* to be called; no call can have gone out                                                   */
  AGAIN,      /* to be called again: a reply was lost, and somebody asked for a repeat                     */
  CALLING,    /* a worker has claimed the call: it calls now                                               */
  UNSENT,     /* the end: no call went out (failed, expired, invalid, on the DND list)                     */
  UNCERTAIN,  /* the end: a call may have gone out, and its reply is lost                                  */
  ACCEPTED    /* the end: there is a message id, or several                                                */
};

mtype:change_name = {
  OPEN, PLAN, SETTLE, CLAIM, RELEASE, REPEAT, RECORD, DOUBT, REFUSE, GIVE_UP, REVISE, KEEP, REOPEN, REPLAN
};

/* The write of the step that is under way; no part of the state. */
hidden byte change, before, after, more_calls, new_revision;
hidden byte line;

#define row(c, f, t, n, r)  :: change == c && before == f && after == t && more_calls == n + 1 && new_revision == r \
  -> line = __LINE__

inline listed() {
  if
  /*  change   before     after      calls revision */
  row(OPEN,    ABSENT,    OPENED,     0,   0)  /* where the job may have been seen before, or must wait    */
  row(PLAN,    ABSENT,    PLANNED,    0,   0)  /* before any part goes out                                 */
  row(PLAN,    OPENED,    PLANNED,    0,   0)
  row(PLAN,    ABSENT,    READY,      0,   0)  /* written with the claim of another call of the entry      */
  row(PLAN,    OPENED,    READY,      0,   0)
  row(SETTLE,  ABSENT,    UNSENT,     0,   0)  /* nobody is to be called                                   */
  row(SETTLE,  OPENED,    UNSENT,     0,   0)
  row(CLAIM,   ABSENT,    CALLING,    1,   0)  /* right before the request; of a new job with its plan     */
  row(CLAIM,   OPENED,    CALLING,    1,   0)
  row(CLAIM,   READY,     CALLING,    1,   0)
  row(CLAIM,   AGAIN,     CALLING,    1,   0)
  row(RELEASE, CALLING,   READY,     -1,   0)  /* certainly not sent                                       */
  row(RELEASE, CALLING,   AGAIN,     -1,   0)
  row(RELEASE, CALLING,   ACCEPTED,  -1,   0)  /* not sent, and a late reply has brought the id meanwhile  */
  row(REPEAT,  CALLING,   AGAIN,      0,   0)  /* reply or caller lost, and the job asked for a repeat     */
  row(REPEAT,  CALLING,   ACCEPTED,   0,   0)
  row(RECORD,  CALLING,   ACCEPTED,   0,   0)  /* the reply, right after it                                */
  row(DOUBT,   CALLING,   UNCERTAIN,  0,   0)  /* reply or caller lost                                     */
  row(DOUBT,   CALLING,   ACCEPTED,   0,   0)
  row(REFUSE,  CALLING,   UNSENT,    -1,   0)  /* the gateway's last word                                  */
  row(REFUSE,  CALLING,   UNCERTAIN, -1,   0)  /* of a repeat: the call before it may have gone out        */
  row(REFUSE,  CALLING,   ACCEPTED,  -1,   0)
  row(GIVE_UP, READY,     UNSENT,     0,   0)  /* expired, or the last attempt is over                     */
  row(GIVE_UP, AGAIN,     UNCERTAIN,  0,   0)
  row(REVISE,  UNCERTAIN, ACCEPTED,   0,   1)  /* a reply that comes late                                  */
  row(REVISE,  ACCEPTED,  ACCEPTED,   0,   1)  /* a second id, beside the first                            */
  row(REVISE,  CALLING,   CALLING,    0,   0)  /* kept until that call ends                                */
  row(REVISE,  AGAIN,     ACCEPTED,   0,   0)  /* nobody calls again for an id that is there               */
  row(REVISE,  UNSENT,    ACCEPTED,   0,   1)  /* only where the ledger forgot, and the job began anew     */
  row(KEEP,    ABSENT,    ACCEPTED,   1,   0)  /* the ledger forgot, and who knows of calls writes them    */
  row(KEEP,    OPENED,    ACCEPTED,   1,   0)  /* anew: one or more                                        */
  row(KEEP,    READY,     ACCEPTED,   1,   0)
  row(KEEP,    ABSENT,    UNCERTAIN,  1,   0)
  row(KEEP,    OPENED,    UNCERTAIN,  1,   0)
  row(KEEP,    READY,     UNCERTAIN,  1,   0)
  row(KEEP,    ABSENT,    AGAIN,      1,   0)
  row(KEEP,    OPENED,    AGAIN,      1,   0)
  row(KEEP,    READY,     AGAIN,      1,   0)
  row(REOPEN,  UNSENT,    READY,      0,   1)  /* an operator replays the dead letter                      */
  row(REOPEN,  UNCERTAIN, AGAIN,      0,   1)  /* the same, and insists: somebody may get the text twice   */
  row(REPLAN,  UNSENT,    OPENED,     0,   1)  /* a replay where nobody was to be called: planned anew     */
  :: else -> line = 0
  fi;
  promise(only_listed_changes, line > 0 || !broken(NOTHING));
  c_code { needed(line); };
  change = 0; before = 0; after = 0; more_calls = 0; new_revision = 0
}
