BEGIN TRANSACTION;
CREATE TABLE attempts (
	id INTEGER NOT NULL, 
	trial INTEGER NOT NULL, 
	parent INTEGER, 
	sweep INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	token VARCHAR(32) NOT NULL, 
	lease_until DATETIME NOT NULL, 
	started DATETIME NOT NULL, 
	finished DATETIME, 
	result TEXT, 
	failure TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(trial) REFERENCES trials (id), 
	FOREIGN KEY(sweep) REFERENCES sweeps (id)
);
INSERT INTO "attempts" VALUES(1,1,NULL,1,'complete','host:1767:1795236072.24','798dfdefcc371a24','2026-11-21 04:44:14.574821','2026-11-21 04:41:14.574826','2026-11-21 04:41:14.588081','{"score":0.5,"score_se":0.1,"scores":[0.5],"values":{},"best_epochs":[],"epochs":[],"fit_s":0.0,"predict_s":0.0,"peak_mb":0.0,"weights":0,"fit_key":"","cached":false}',NULL);
INSERT INTO "attempts" VALUES(2,2,NULL,1,'lost','host:1767:1795236072.24','e646b05cae658a78','2026-11-21 04:44:14.593552','2026-11-21 04:41:14.593556','2026-11-21 04:41:14.601742',NULL,NULL);
CREATE TABLE counters (
	name VARCHAR(40) NOT NULL, 
	value INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "counters" VALUES('version',1);
INSERT INTO "counters" VALUES('events',4);
CREATE TABLE events (
	position INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	payload TEXT NOT NULL, 
	PRIMARY KEY (position)
);
INSERT INTO "events" VALUES(1,'2026-11-21 04:41:14.580788','{"kind":"trial.started","sweep":1,"study":1,"trial":1,"attempt":1,"family":"mlp","features":"","number":0,"values":{"lr":0.1},"code":""}');
INSERT INTO "events" VALUES(2,'2026-11-21 04:41:14.589602','{"kind":"trial.finished","sweep":1,"study":1,"trial":1,"attempt":1,"family":"mlp","number":0,"state":"complete","result":{"score":0.5,"score_se":0.1,"scores":[0.5],"values":{},"best_epochs":[],"epochs":[],"fit_s":0.0,"predict_s":0.0,"peak_mb":0.0,"weights":0,"fit_key":"","cached":false},"failure":null}');
INSERT INTO "events" VALUES(3,'2026-11-21 04:41:14.597284','{"kind":"trial.started","sweep":1,"study":1,"trial":2,"attempt":2,"family":"mlp","features":"","number":1,"values":{"lr":0.2},"code":""}');
INSERT INTO "events" VALUES(4,'2026-11-21 04:41:14.602723','{"kind":"trial.finished","sweep":1,"study":1,"trial":2,"attempt":2,"family":"mlp","number":1,"state":"lost","result":null,"failure":null}');
CREATE TABLE projections (
	name VARCHAR(100) NOT NULL, 
	position INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "projections" VALUES('mlflow',2);
CREATE TABLE reports (
	attempt INTEGER NOT NULL, 
	split INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	value FLOAT NOT NULL, 
	loss FLOAT, 
	PRIMARY KEY (attempt, split, epoch), 
	FOREIGN KEY(attempt) REFERENCES attempts (id)
);
INSERT INTO "reports" VALUES(1,0,1,0.5,NULL);
CREATE TABLE studies (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	experiment VARCHAR(100) NOT NULL, 
	family VARCHAR(100) NOT NULL, 
	space TEXT, 
	created DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE ("key")
);
INSERT INTO "studies" VALUES(1,'k','e','mlp','{"parameters":[]}','2026-11-21 04:41:14.560460');
CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	experiment VARCHAR(100) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	started DATETIME NOT NULL, 
	finished DATETIME, 
	delivery TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "sweeps" VALUES(1,'e','running','host:1767:1795236072.24','2026-11-21 04:41:14.567542',NULL,NULL);
CREATE TABLE trials (
	id INTEGER NOT NULL, 
	study INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	"values" TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (study, number), 
	FOREIGN KEY(study) REFERENCES studies (id)
);
INSERT INTO "trials" VALUES(1,1,0,'complete','{"lr": 0.1}');
INSERT INTO "trials" VALUES(2,1,1,'queued','{"lr": 0.2}');
CREATE INDEX trials_by_state ON trials (study, state);
CREATE INDEX ix_attempts_trial ON attempts (trial);
CREATE INDEX ix_attempts_state ON attempts (state);
COMMIT;
