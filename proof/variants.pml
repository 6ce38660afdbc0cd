/* Broken variants: BROKEN makes one mistake in the protocol, and some promise no longer holds. */

#define NOTHING            0
#define CALL_FIRST         1   /* calls, and writes the claim with the reply                               */
#define NO_LEASE           2   /* takes a call over as soon as it finds one                                */
#define BLIND_TAKEOVER     3   /* calls again for whoever died, whether the job asked for it or not        */
#define BLIND_WRITE        4   /* takes over whatever the entry says by now                                */
#define LOST_SWAP_WON      5   /* calls although its claim was refused                                     */
#define NO_RECHECK         6   /* calls without a look at the clock after it stood still                   */
#define CLAIM_LEFT         7   /* does not take back a claim whose swap had no answer                      */
#define LATE_DROPPED       8   /* a reply that comes after the take-over is forgotten                      */
#define LATE_GIVEN_UP      9   /* its result is published once, confirmed or not                           */
#define FORGOTTEN_LET_GO   10  /* a reply is let go where the ledger forgot the call                       */
#define CALL_IN_SPITE      11  /* an id that comes late does not end the repeat that waits                 */
#define UNCOUNTED          12  /* a call whose reply is lost is not counted                                */
#define UNSENT_FOR_DOUBT   13  /* a repeat that is given up counts as never sent                           */
#define SAME_REVISION      14  /* a late id changes the result under the same revision                     */
#define ACK_FIRST          15  /* acknowledges, then publishes                                             */
#define PARTS_UNCONFIRMED  16  /* acknowledges a large job whether its parts were confirmed or not         */
#define PLAN_LATER         17  /* parts go out before the plan is written                                  */
#define NEVER_OVER         18  /* waits for the reply of a dead worker                                     */
#define NO_WAIT            19  /* returns the delivery of a call that is under way, again and again        */
#define PARTS_UNMARKED     20  /* stops a large job by the mark in its own entry alone                       */
#define MARK_UNSEEN        21  /* marks without a new token: a claim that was about to be written stands     */
#define ANSWER_EARLY       22  /* says that a job is stopped before claims made earlier are followed or over */

#define broken(name)  (BROKEN == name)
