"""A class that looks at one app: who may do what, the questions and answers of a lesson, the links to it. Without torch."""
